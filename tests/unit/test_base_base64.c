/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/base64.h"

struct vector {
    const char *octets;
    const char *text;
};

/* RFC 4648 section 10. */
static const struct vector vectors[] = {
    {"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
};

static void vectors_of_rfc_4648_are_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        size_t length = strlen(vectors[i].octets);
        struct buf buf;

        buf_init(&buf, 100);
        base64_put(&buf, (const uint8_t *)vectors[i].octets, length);
        assert_false(buf.failed);
        assert_int_equal(buf.length, strlen(vectors[i].text));
        assert_int_equal(buf.length, base64_chars(length));
        assert_memory_equal(buf.data, vectors[i].text, buf.length);
        buf_free(&buf);
    }
}

static void vectors_of_rfc_4648_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct secret *secret = base64_decode(vectors[i].text, strlen(vectors[i].text));

        assert_non_null(secret);
        assert_int_equal(secret->size_bytes, strlen(vectors[i].octets));
        assert_memory_equal(secret->bytes, vectors[i].octets, secret->size_bytes);
        secret_free(secret);
    }
}

static void what_is_not_canonical_is_refused(void **state)
{
    static const char *const texts[] = {
        "",         "Z",        "Zg",       "Zg=",        "Zg===",    "====",     "Z===",
        "Zh==",     "Zm9=",     "Zm8=Zm8=", " Zg==",      "Zg==\n",   "Zg== ",    "Zm9v\r\n",
        "Zm9v    ", "    Zm9v", "Zm-v",     "Zm_v",       "Zm9v=",    "Zm9v====", "=Zm9",
        "Zm\n9v",   "Zm 9v",    "Zm*v",     "Z\xc3\xa9v", "Zg==Zg==", "-----===",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (base64_decode(texts[i], strlen(texts[i])) != NULL)
            fail_msg("\"%s\" was decoded", texts[i]);
    assert_null(base64_decode("Zm9v\0Zm9", 8));
    assert_null(base64_decode("\0\0\0\0", 4));
}

static void every_size_up_to_the_largest_key_comes_back(void **state)
{
    static uint8_t octets[SECRET_MAX_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)(i * 167 + 13);
    for (size_t size = 1; size <= sizeof(octets); size += size < 100 ? 1 : 999) {
        struct secret *secret;
        struct buf buf;

        buf_init(&buf, 20000);
        base64_put(&buf, octets, size);
        secret = base64_decode((const char *)buf.data, buf.length);
        assert_non_null(secret);
        assert_int_equal(secret->size_bytes, size);
        assert_memory_equal(secret->bytes, octets, size);
        secret_free(secret);
        buf_free(&buf);
    }
}

static void more_than_the_largest_key_is_refused(void **state)
{
    static char text[(SECRET_MAX_BYTES + 2) / 3 * 4 + 4];
    struct secret *secret;

    (void)state;
    memset(text, 'A', sizeof(text));
    assert_null(base64_decode(text, sizeof(text)));
    /* The same number of groups as the largest key, but without its padding. */
    assert_null(base64_decode(text, sizeof(text) - 4));
    text[sizeof(text) - 5] = '=';
    secret = base64_decode(text, sizeof(text) - 4);
    assert_non_null(secret);
    assert_int_equal(secret->size_bytes, SECRET_MAX_BYTES);
    secret_free(secret);
}

static void an_encoding_that_does_not_fit_fails(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 3);
    base64_put(&buf, (const uint8_t *)"x", 1);
    assert_true(buf.failed);
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_rfc_4648_are_encoded),
        cmocka_unit_test(vectors_of_rfc_4648_are_decoded),
        cmocka_unit_test(what_is_not_canonical_is_refused),
        cmocka_unit_test(every_size_up_to_the_largest_key_comes_back),
        cmocka_unit_test(more_than_the_largest_key_is_refused),
        cmocka_unit_test(an_encoding_that_does_not_fit_fails),
    };

    return RUN_TESTS(tests);
}
