/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "etsi/etsi014.h"

#define ID_A "00000000-0000-4000-8000-00000000000a"
#define ID_B "00000000-0000-4000-8000-00000000000b"
/* Base64 of 32 octets 0xff, which needs a slash at each place. */
#define KEY_F "//////////////////////////////////////////8="
#define KEY_F_ESCAPED                                                                              \
    "\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/"                              \
    "\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/8="
#define KEY_0 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

enum { TEXT_BYTES = 200000 };

/* Parses a copy, since the parser writes; the copy is freed exactly behind its last octet. */
static bool parse(const char *text, struct etsi014_container *container, struct status *status)
{
    size_t length = strlen(text);
    char *copy = test_malloc(length + (length == 0));
    bool ok;

    memcpy(copy, text, length);
    ok = etsi014_container_parse(copy, length, container, status);
    test_free(copy);
    return ok;
}

static void check_key(const struct etsi014_key *key, uint8_t last_of_id, uint8_t octet, size_t size)
{
    assert_int_equal(key->id.octets[KEY_ID_BYTES - 1], last_of_id);
    assert_int_equal(key->key->size_bytes, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(key->key->bytes[i], octet);
}

static void what_a_server_writes_a_client_reads(void **state)
{
    struct etsi014_container container = {.count = 2}, again;
    struct status status = STATUS_INIT;
    struct buf buf;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        container.keys[i].id.octets[KEY_ID_BYTES - 1] = (uint8_t)(0x0a + i);
        container.keys[i].key = secret_new(32 + i);
        memset(container.keys[i].key->bytes, (int)(0x40 + i), 32 + i);
    }
    buf_init(&buf, 10000);
    etsi014_container_put(&buf, &container);
    assert_true(etsi014_container_parse((char *)buf.data, buf.length, &again, &status));
    assert_int_equal(again.count, 2);
    check_key(&again.keys[0], 0x0a, 0x40, 32);
    check_key(&again.keys[1], 0x0b, 0x41, 33);
    buf_free(&buf);
    etsi014_container_free(&again);
    etsi014_container_free(&container);
    assert_int_equal(container.count, 0);
}

static void the_text_is_that_of_the_standard(void **state)
{
    struct etsi014_container container = {.count = 1};
    struct buf buf;

    (void)state;
    container.keys[0].id = (struct key_id){{[6] = 0x40, [8] = 0x80, [15] = 0x0a}};
    container.keys[0].key = secret_new(32);
    memset(container.keys[0].key->bytes, 0xff, 32);
    buf_init(&buf, 10000);
    etsi014_container_put(&buf, &container);
    buf_put_u8(&buf, '\0');
    assert_string_equal((const char *)buf.data,
                        "{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_F "\"}]}");
    buf_free(&buf);
    etsi014_container_free(&container);
}

static void the_largest_message_that_a_server_may_write_comes_back(void **state)
{
    static struct etsi014_container container, again;
    struct status status = STATUS_INIT;
    struct buf buf;

    (void)state;
    container.count = ETSI014_KEYS_MAX;
    for (size_t i = 0; i < ETSI014_KEYS_MAX; i++) {
        container.keys[i].id.octets[KEY_ID_BYTES - 1] = (uint8_t)i;
        container.keys[i].key = secret_new(SECRET_MAX_BYTES);
    }
    buf_init(&buf, ETSI014_RESPONSE_MAX_BYTES);
    etsi014_container_put(&buf, &container);
    assert_false(buf.failed);
    assert_true(etsi014_container_parse((char *)buf.data, buf.length, &again, &status));
    assert_int_equal(again.count, ETSI014_KEYS_MAX);
    buf_free(&buf);
    etsi014_container_free(&again);
    etsi014_container_free(&container);
}

static void forms_of_servers_of_the_field_are_read(void **state)
{
    static const char *const texts[] = {
        /* Pretty-printed; any order; unknown members. */
        "{\n  \"keys\" : [\r\n\t{\n    \"key\" :\t\"" KEY_F "\" ,\n    \"key_ID\" : \"" ID_A
        "\"\n  } ]\n}\n",
        "{\"easy_kme_certificate_extension\":{\"cn\":\"kme\"},\"keys\":[{\"key_ID\":\"" ID_A
        "\",\"key\":\"" KEY_F "\",\"x\":1}],\"key_container_extension\":{\"returned_keys\":1}}",
        /* An escaped slash, and the ID as mocks write it. */
        "{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_F_ESCAPED "\"}]}",
        "{\"keys\":[{\"key_id\":\"" ID_A "\",\"key\":\"" KEY_F "\"}]}",
        /* Extensions with members of the same name, and strings that look like one. */
        "{\"keys\":[{\"key_ID_extension\":{\"key\":\"x\"},\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_F
        "\",\"key_extension\":{\"key\":\"0\",\"deep\":[{\"key\":\"" KEY_0 "\"}]}}]}",
        "{\"note\":\"\\\"key\\\":\\\"x\\\"\",\"word\":\"key\",\"list\":[\"key\",\"key\"],"
        "\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_F "\"}]}",
        "{\"back\\\\\":\"key\\\\\",\"keys\":[{\"key\":\"" KEY_F "\",\"key_ID\":\"" ID_A "\"}]}",
        "{\"key\":5,\"keys\":[{\"key\":\"" KEY_F "\",\"key_ID\":\"" ID_A "\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct status status = STATUS_INIT;
        struct etsi014_container container;

        if (!parse(texts[i], &container, &status))
            fail_msg("text %zu: %s", i, status.text);
        assert_int_equal(container.count, 1);
        check_key(&container.keys[0], 0x0a, 0xff, 32);
        etsi014_container_free(&container);
    }
}

static void an_empty_container_is_one(void **state)
{
    struct status status = STATUS_INIT;
    struct etsi014_container container;

    (void)state;
    assert_true(parse("{\"keys\":[]}", &container, &status));
    assert_int_equal(container.count, 0);
}

static void check_refused(const char *text, const char *reason)
{
    struct etsi014_container container = {.count = 77};
    struct status status = STATUS_INIT;

    if (parse(text, &container, &status))
        fail_msg("accepted: %.200s", text);
    assert_failed(&status, OUTCOME_KME, reason);
    assert_int_equal(container.count, 0);
    assert_lacks(status.text, "////");
    assert_lacks(status.text, "AAAA");
}

static void wrong_containers_are_refused_whole(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } wrong[] = {
        {"", "not valid JSON"},
        {"<html>key</html>", "not valid JSON"},
        {"{}", "no array \"keys\""},
        {"{\"Keys\":[]}", "no array \"keys\""},
        {"{\"keys\":{}}", "no array \"keys\""},
        {"[]", "not an object"},
        {"{\"keys\":[7]}", "key 1 of the answer lacks"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\"}]}", "lacks key_ID or key"},
        {"{\"keys\":[{\"key\":\"" KEY_0 "\"}]}", "lacks key_ID or key"},
        {"{\"keys\":[{\"key_ID\":7,\"key\":\"" KEY_0 "\"}]}", "lacks key_ID or key"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":null}]}", "lacks key_ID or key"},
        {"{\"keys\":[{\"key_ID\":\"a\",\"key\":\"" KEY_0 "\"}]}", "is no UUID"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_0 "\"},{\"key_ID\":\"" ID_A
         "\",\"key\":\"" KEY_F "\"}]}",
         "holds key_ID " ID_A " twice"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_0 "\"},{\"key_ID\":\"" ID_B
         "\",\"key\":\"AAA\"}]}",
         "key 2 of the answer is not canonical base64"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"\"}]}", "not canonical base64"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"0\"}]}", "not canonical base64"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_0 " \"}]}", "not canonical base64"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"Zg\\u003d=\"}]}", "not canonical base64"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_0 "\",\"key\":\"" KEY_F "\"}]}",
         "not valid JSON"},
        {"{\"keys\":[],\"keys\":[]}", "not valid JSON"},
        {"{\"keys\":[]}{\"keys\":[]}", "not valid JSON"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_0, "ends inside a key"},
        {"{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"", "ends inside a key"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        check_refused(wrong[i].text, wrong[i].reason);
}

/* A member whose name only the JSON library reads as "key" may hold a marker of ours. */
static void a_marker_cannot_be_forged_to_take_a_key_twice(void **state)
{
    (void)state;
    check_refused("{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_0 "\"},{\"key_ID\":\"" ID_B
                  "\",\"\\u006bey\":\"0\"}]}",
                  "\\u escape");
    check_refused("{\"keys\":[{\"key_ID\":\"" ID_B "\",\"\\u006bey\":\"1\"}]}", "\\u escape");
    check_refused("{\"keys\":[{\"key_ID\":\"" ID_B "\",\"\\u006bey\":\"-0\"}]}", "\\u escape");
}

static void every_truncation_is_refused(void **state)
{
    static const char whole[] = "{\"keys\":[{\"key_ID\":\"" ID_A "\",\"key\":\"" KEY_F
                                "\",\"key_extension\":{\"key\":\"\\\\\\\"\"}}]}";

    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char text[sizeof(whole)];

        memcpy(text, whole, length);
        text[length] = '\0';
        check_refused(text, "the answer");
    }
}

static const char *text_of_keys(int count)
{
    static char text[TEXT_BYTES];
    size_t at = 0;

    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "%s{\"key_ID\":\"00000000-0000-4000-8000-0000000000%02x\","
                               "\"key\":\"" KEY_0 "\"}",
                               i == 0 ? "{\"keys\":[" : ",", (unsigned)i);
    snprintf(text + at, sizeof(text) - at, "]}");
    return text;
}

static void more_keys_than_we_handle_are_refused(void **state)
{
    static struct etsi014_container container;
    struct status status = STATUS_INIT;

    (void)state;
    assert_true(parse(text_of_keys(ETSI014_KEYS_MAX), &container, &status));
    assert_int_equal(container.count, ETSI014_KEYS_MAX);
    etsi014_container_free(&container);
    check_refused(text_of_keys(ETSI014_KEYS_MAX + 1), "more than 128 keys");
}

static void a_nesting_bomb_is_refused(void **state)
{
    static char bomb[TEXT_BYTES];

    (void)state;
    memset(bomb, '[', sizeof(bomb) - 1);
    memcpy(bomb, "{\"keys\":", 8);
    check_refused(bomb, "nested more than 16 levels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_writes_a_client_reads),
        cmocka_unit_test(the_text_is_that_of_the_standard),
        cmocka_unit_test(the_largest_message_that_a_server_may_write_comes_back),
        cmocka_unit_test(forms_of_servers_of_the_field_are_read),
        cmocka_unit_test(an_empty_container_is_one),
        cmocka_unit_test(wrong_containers_are_refused_whole),
        cmocka_unit_test(a_marker_cannot_be_forged_to_take_a_key_twice),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(more_keys_than_we_handle_are_refused),
        cmocka_unit_test(a_nesting_bomb_is_refused),
    };

    return RUN_TESTS(tests);
}
