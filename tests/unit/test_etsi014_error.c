/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "etsi/etsi014.h"

#define HTML "<!doctype html>\n<html lang=en><title>401 Unauthorized</title></html>"

struct answer {
    const char *from;
    enum etsi014_method method;
    int http_status;
    const char *body;
    enum etsi014_refusal refusal;
    const char *message;
};

/* Answers as servers of the field give them. */
static const struct answer answers[] = {
    {"the standard", ETSI014_GET_KEY_IDS, 400,
     "{\"message\":\"one or more keys specified are not found on KME\"}", ETSI014_REFUSED_NOT_FOUND,
     "one or more keys specified are not found on KME"},
    {"another case and a full stop", ETSI014_GET_KEY_IDS, 400,
     "{\"message\":\"One or more keys specified are not found on KME.\"}",
     ETSI014_REFUSED_NOT_FOUND, "One or more keys specified are not found on KME."},
    {"the standard", ETSI014_GET_KEY, 400,
     "{\"message\":\"size shall be a multiple of 8\",\"details\":[{\"size\":\"9\"}]}",
     ETSI014_REFUSED_REQUEST, "size shall be a multiple of 8"},
    {"the standard", ETSI014_GET_KEY, 400,
     "{\"message\":\"not all extension_mandatory parameters are supported\"}",
     ETSI014_REFUSED_REQUEST, "not all extension_mandatory parameters are supported"},
    {"the standard", ETSI014_GET_KEY, 503, "{\"message\":\"server busy\"}",
     ETSI014_REFUSED_EXHAUSTED, "server busy"},
    {"D11: detail as text", ETSI014_GET_KEY, 401, "{\"detail\":\"Unknown SAE\"}",
     ETSI014_REFUSED_UNAUTHORISED, "Unknown SAE"},
    {"D11: detail as a list", ETSI014_GET_KEY_IDS, 422,
     "{\"detail\":[{\"loc\":[\"body\",\"key_IDs\"],\"msg\":\"value is not a valid dict\","
     "\"type\":\"type_error\"}]}",
     ETSI014_REFUSED_SERVER, "value is not a valid dict"},
    {"D11: an empty list", ETSI014_GET_KEY, 422, "{\"detail\":[]}", ETSI014_REFUSED_SERVER, ""},
    {"D12: HTML", ETSI014_GET_KEY, 401, HTML, ETSI014_REFUSED_UNAUTHORISED, ""},
    {"D12: HTML of a proxy", ETSI014_GET_KEY, 502, "\r\n" HTML, ETSI014_REFUSED_SERVER, ""},
    {"D12: plain text", ETSI014_GET_KEY, 503, "key pool empty", ETSI014_REFUSED_EXHAUSTED,
     "key pool empty"},
    {"D13: details as an object", ETSI014_GET_KEY, 400,
     "{\"message\":\"bad\",\"details\":{\"size\":[\"too large\"]}}", ETSI014_REFUSED_REQUEST,
     "bad"},
    {"D14: 401 with nothing", ETSI014_GET_KEY_IDS, 401, "", ETSI014_REFUSED_UNAUTHORISED, ""},
    {"D14: 401 with an object", ETSI014_GET_KEY, 401, "{\"message\":\"SAE not authorised\"}",
     ETSI014_REFUSED_UNAUTHORISED, "SAE not authorised"},
    {"D15: exhausted as 400", ETSI014_GET_KEY, 400,
     "{\"message\":\"Not enough key material available\",\"details\":[{\"key_bits_requested\":256,"
     "\"key_bits_available\":0}]}",
     ETSI014_REFUSED_EXHAUSTED, "Not enough key material available"},
    {"D15: exhausted as 400", ETSI014_GET_KEY, 400,
     "{\"message\":\"insufficient amount of key material\"}", ETSI014_REFUSED_EXHAUSTED,
     "insufficient amount of key material"},
    {"D15: exhausted as 404", ETSI014_GET_KEY, 404, "{\"message\":\"No keys available\"}",
     ETSI014_REFUSED_EXHAUSTED, "No keys available"},
    {"D15: exhausted as 503", ETSI014_GET_KEY, 503, "{\"detail\":\"No keys\"}",
     ETSI014_REFUSED_EXHAUSTED, "No keys"},
    {"D24: unknown peer as 400", ETSI014_GET_KEY, 400, "{\"message\":\"unknown slave SAE\"}",
     ETSI014_REFUSED_REQUEST, "unknown slave SAE"},
    {"D24: unknown peer as 404", ETSI014_GET_KEY, 404, "{\"message\":\"SAE not found\"}",
     ETSI014_REFUSED_REQUEST, "SAE not found"},
    {"D24: unknown peer as 500", ETSI014_GET_STATUS, 500, "{\"message\":\"internal\"}",
     ETSI014_REFUSED_SERVER, "internal"},
    {"D25: unauthorised as 404", ETSI014_GET_KEY_IDS, 404, "{\"message\":\"Key not found\"}",
     ETSI014_REFUSED_NOT_FOUND, "Key not found"},
    {"expired", ETSI014_GET_KEY_IDS, 403, "{\"message\":\"Key expired\"}",
     ETSI014_REFUSED_UNAUTHORISED, "Key expired"},
    {"D31: too early, as 400", ETSI014_GET_KEY_IDS, 400, "{\"message\":\"keys not found\"}",
     ETSI014_REFUSED_NOT_FOUND, "keys not found"},
    {"D31: too early, as 404 with nothing", ETSI014_GET_KEY_IDS, 404, "", ETSI014_REFUSED_NOT_FOUND,
     ""},
    {"a path that is not there", ETSI014_GET_KEY_IDS, 404,
     "{\"message\":\"there is nothing at this path\"}", ETSI014_REFUSED_SERVER,
     "there is nothing at this path"},
    {"a web server", ETSI014_GET_KEY_IDS, 404, "\r\n<html><h1>Not Found</h1></html>",
     ETSI014_REFUSED_SERVER, ""},
    {"another web server", ETSI014_GET_KEY_IDS, 404, "404 page not found\n", ETSI014_REFUSED_SERVER,
     "404 page not found\n"},
    {"a path on a reservation", ETSI014_GET_KEY, 404, "<html>", ETSI014_REFUSED_SERVER, ""},
    {"peer key server down", ETSI014_GET_KEY, 504, "", ETSI014_REFUSED_SERVER, ""},
    {"a redirect", ETSI014_GET_KEY, 302, "", ETSI014_REFUSED_SERVER, ""},
    {"another success", ETSI014_GET_KEY, 204, "", ETSI014_REFUSED_SERVER, ""},
    {"a body too large", ETSI014_GET_KEY_IDS, 413, "too large", ETSI014_REFUSED_SERVER,
     "too large"},
};

static void answers_of_the_field_are_classified(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        const struct answer *answer = &answers[i];
        char message[ETSI014_MESSAGE_MAX_CHARS + 1];
        enum etsi014_refusal refusal = etsi014_refusal_classify(
            answer->method, answer->http_status, answer->body, strlen(answer->body), message);

        if (refusal != answer->refusal)
            fail_msg("%s: %d %s: class %d instead of %d", answer->from, answer->http_status,
                     answer->body, (int)refusal, (int)answer->refusal);
        assert_string_equal(message, answer->message);
    }
}

static void no_body_at_all_is_allowed(void **state)
{
    char message[ETSI014_MESSAGE_MAX_CHARS + 1];

    (void)state;
    assert_int_equal(etsi014_refusal_classify(ETSI014_GET_KEY, 503, NULL, 0, message),
                     ETSI014_REFUSED_EXHAUSTED);
    assert_string_equal(message, "");
}

static void a_long_message_is_cut(void **state)
{
    char message[ETSI014_MESSAGE_MAX_CHARS + 1], body[1000], text[900];

    (void)state;
    memset(text, 'm', sizeof(text));
    snprintf(body, sizeof(body), "{\"message\":\"%.*s\"}", (int)sizeof(text), text);
    etsi014_refusal_classify(ETSI014_GET_KEY, 500, body, strlen(body), message);
    assert_int_equal(strlen(message), ETSI014_MESSAGE_MAX_CHARS);
    etsi014_refusal_classify(ETSI014_GET_KEY, 500, text, sizeof(text), message);
    assert_int_equal(strlen(message), 80);
}

static void broken_json_is_not_quoted(void **state)
{
    static const char body[] = "{\"message\":\"cut";
    char message[ETSI014_MESSAGE_MAX_CHARS + 1];

    (void)state;
    etsi014_refusal_classify(ETSI014_GET_KEY, 500, body, strlen(body), message);
    assert_string_equal(message, "");
}

/* The Error object of what was refused, as text. */
static void put_error(const struct etsi014_error *error, struct buf *buf)
{
    buf_init(buf, 4096);
    etsi014_error_put(buf, error);
    buf_put_u8(buf, '\0');
    assert_false(buf->failed);
}

static void a_refusal_is_written_as_an_error_object(void **state)
{
    struct etsi014_error error;
    struct buf buf;

    (void)state;
    assert_false(etsi014_refuse(&error, 400, "%s", etsi014_size_not_multiple_of_8));
    assert_int_equal(error.http_status, 400);
    put_error(&error, &buf);
    assert_string_equal((const char *)buf.data, "{\"message\":\"size shall be a multiple of 8\"}");
    buf_free(&buf);
}

static void details_are_an_array_of_objects_with_one_member(void **state)
{
    struct etsi014_error error;
    struct buf buf;

    (void)state;
    etsi014_refuse(&error, 400, "no");
    snprintf(error.detail_name, sizeof(error.detail_name), "extension_mandatory_unsupported");
    snprintf(error.detail_text, sizeof(error.detail_text), "abc\"x is not supported");
    put_error(&error, &buf);
    assert_string_equal((const char *)buf.data,
                        "{\"message\":\"no\",\"details\":[{\"extension_mandatory_unsupported\":"
                        "\"abc\\\"x is not supported\"}]}");
    buf_free(&buf);
}

static void a_text_cut_inside_a_character_is_still_written(void **state)
{
    struct etsi014_error error;
    struct buf buf;

    (void)state;
    for (int octets = 1; octets <= 3; octets++) {
        etsi014_refuse(&error, 400, "name %.*s", octets, "\xf0\x9f\x98\x80");
        snprintf(error.detail_name, sizeof(error.detail_name), "name");
        snprintf(error.detail_text, sizeof(error.detail_text), "%s", error.message);
        put_error(&error, &buf);
        assert_string_equal((const char *)buf.data,
                            "{\"message\":\"name \",\"details\":[{\"name\":\"name \"}]}");
        buf_free(&buf);
    }
}

static void the_fixed_messages_are_those_of_the_standard(void **state)
{
    (void)state;
    assert_string_equal(etsi014_size_not_multiple_of_8, "size shall be a multiple of 8");
    assert_string_equal(etsi014_extension_mandatory_unsupported,
                        "not all extension_mandatory parameters are supported");
    assert_string_equal(etsi014_keys_not_found, "one or more keys specified are not found on KME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_the_field_are_classified),
        cmocka_unit_test(no_body_at_all_is_allowed),
        cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(broken_json_is_not_quoted),
        cmocka_unit_test(a_refusal_is_written_as_an_error_object),
        cmocka_unit_test(details_are_an_array_of_objects_with_one_member),
        cmocka_unit_test(a_text_cut_inside_a_character_is_still_written),
        cmocka_unit_test(the_fixed_messages_are_those_of_the_standard),
    };

    return RUN_TESTS(tests);
}
