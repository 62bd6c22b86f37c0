/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "ctl/check_answer.h"

/* An answer out of these octets; whether it is complete. */
static bool read_answer(const char *text, struct answer *answer, struct http_response *response)
{
    struct status status = STATUS_INIT;
    struct buf input;
    bool ok;

    answer_init(answer);
    http_response_init(response, 100);
    buf_init(&input, 4096);
    buf_put_text(&input, text);
    ok = answer_feed(answer, response, &input, &status) && response->phase == HTTP_COMPLETE;
    buf_free(&input);
    return ok;
}

static void a_field_is_found_whatever_its_case(void **state)
{
    struct http_response response;
    struct answer answer;
    char value[16];

    (void)state;
    assert_true(
        read_answer("HTTP/1.1 405 No\r\nallow:  GET, POST \t\r\nX-Long: 0123456789abcdef\r\n"
                    "Content-Length: 0\r\n\r\n",
                    &answer, &response));
    assert_true(answer_field(&answer, "Allow", value, sizeof(value)));
    assert_string_equal(value, "GET, POST");
    assert_true(answer_field_is(&answer, "ALLOW", "get"));
    assert_false(answer_field_is(&answer, "Allow", "POST"));
    assert_false(answer_field(&answer, "All", value, sizeof(value)));
    assert_true(answer_field(&answer, "X-Long", value, sizeof(value)));
    assert_string_equal(value, "0123456789abcde");
    http_response_free(&response);
    answer_free(&answer);
}

static void an_empty_field_is_there(void **state)
{
    struct http_response response;
    struct answer answer;

    (void)state;
    assert_true(read_answer("HTTP/1.1 405 No\nAllow:\nContent-Length: 0\n\n", &answer, &response));
    assert_true(answer_field_is(&answer, "Allow", ""));
    assert_false(answer_field_is(&answer, "Retry-After", ""));
    http_response_free(&response);
    answer_free(&answer);
}

static void of_interim_and_final_answer_the_final_head_is_kept(void **state)
{
    struct http_response response;
    struct answer answer;

    (void)state;
    assert_true(read_answer("HTTP/1.1 100 Continue\r\nX: interim\r\n\r\n"
                            "HTTP/1.1 200 OK\r\nX: final\r\nContent-Length: 2\r\n\r\n{}",
                            &answer, &response));
    assert_int_equal(answer.interim_code, 100);
    assert_int_equal(response.code, 200);
    assert_true(answer_field_is(&answer, "X", "final"));
    http_response_free(&response);
    answer_free(&answer);
}

static void keys_are_members_and_not_words(void **state)
{
    static const struct {
        const char *text;
        bool expected;
    } rows[] = {
        {"", false},
        {"\"key\"", true},
        {"{\"keys\":[{\"key\":\"AA==\"}]}", true},
        {"{\"message\":\"\\\"key\\\" is missing\"}", false},
        {"{\"message\":\"\\\"key\\\"\",\"key\" : 1}", true},
        {"{\"key_ID\":\"x\",\"keys\":[]}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (octets_have_keys(rows[i].text, strlen(rows[i].text)) != rows[i].expected)
            fail_msg("%s", rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_found_whatever_its_case),
        cmocka_unit_test(an_empty_field_is_there),
        cmocka_unit_test(of_interim_and_final_answer_the_final_head_is_kept),
        cmocka_unit_test(keys_are_members_and_not_words),
    };

    return RUN_TESTS(tests);
}
