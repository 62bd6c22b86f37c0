/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON library copies what it reads into memory that it frees without wiping. Here it gets an
 * allocator that looks at all that it frees: no key may ever have been there.
 */
#include "tests/unit/unit.h"

#include <malloc.h>

#include <jansson.h>

#include "base/base64.h"
#include "etsi/etsi014.h"

enum { KEYS = 5, TEXT_BYTES = 8192, PART_CHARS = 8 };

/* What to look for in memory that is freed, and what was found. */
static struct {
    char parts[KEYS * 8][PART_CHARS + 1];
    size_t part_count;
    size_t freed_blocks;
    size_t found;
} watch;

static void look_at(const void *block, size_t size)
{
    watch.freed_blocks++;
    for (size_t i = 0; i < watch.part_count; i++)
        if (memmem(block, size, watch.parts[i], PART_CHARS) != NULL)
            watch.found++;
}

static void *watched_malloc(size_t size)
{
    return calloc(1, size);
}

static void watched_free(void *block)
{
    if (block != NULL)
        look_at(block, malloc_usable_size(block));
    free(block);
}

/* Remembers parts of the base64 text, since the library may have copied only some of it. */
static void watch_for(const char *base64)
{
    for (size_t at = 0; at + PART_CHARS < strlen(base64); at += PART_CHARS)
        memcpy(watch.parts[watch.part_count++], base64 + at, PART_CHARS);
}

static size_t make_text(const char *format, char text[static TEXT_BYTES])
{
    size_t at = (size_t)snprintf(text, TEXT_BYTES, "{\"keys\":[");

    memset(&watch, 0, sizeof(watch));
    for (int i = 0; i < KEYS; i++) {
        char id[KEY_ID_TEXT_CHARS + 1], base64[64];
        uint8_t octets[32];
        struct buf buf;

        for (size_t j = 0; j < sizeof(octets); j++)
            octets[j] = (uint8_t)(0x5a + 31 * i + 7 * (int)j);
        buf_init(&buf, sizeof(base64));
        base64_put(&buf, octets, sizeof(octets));
        snprintf(base64, sizeof(base64), "%.*s", (int)buf.length, (const char *)buf.data);
        buf_free(&buf);
        watch_for(base64);
        snprintf(id, sizeof(id), "00000000-0000-4000-8000-00000000000%d", i);
        at += (size_t)snprintf(text + at, TEXT_BYTES - at, i == 0 ? "{" : ",{");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        at += (size_t)snprintf(text + at, TEXT_BYTES - at, format, id, base64);
#pragma GCC diagnostic pop
        at += (size_t)snprintf(text + at, TEXT_BYTES - at, "}");
    }
    return at + (size_t)snprintf(text + at, TEXT_BYTES - at, "]}");
}

static void check(const char *format, bool accepted)
{
    struct etsi014_container container;
    struct status status = STATUS_INIT;
    char text[TEXT_BYTES];
    size_t length = make_text(format, text);

    assert_int_equal(etsi014_container_parse(text, length, &container, &status), accepted);
    assert_int_equal(container.count, accepted ? KEYS : 0);
    assert_true(watch.freed_blocks > 0);
    assert_int_equal(watch.found, 0);
    for (size_t i = 0; i < watch.part_count; i++)
        assert_null(memmem(text, length, watch.parts[i], PART_CHARS));
    etsi014_container_free(&container);
}

static void the_watch_finds_a_key_that_the_library_did_see(void **state)
{
    char text[TEXT_BYTES];
    size_t length = make_text("\"key_ID\":\"%s\",\"key\":\"%s\"", text);
    json_t *root;

    (void)state;
    root = json_loadb(text, length, 0, NULL);
    assert_non_null(root);
    json_decref(root);
    assert_true(watch.found > 0);
}

static void the_json_library_never_sees_a_key(void **state)
{
    (void)state;
    check("\"key_ID\":\"%s\",\"key\":\"%s\"", true);
    check("\"key_ID\" : \"%s\" ,\n\"key\" : \"%s\",\"key_extension\":{}", true);
}

static void nor_when_the_answer_is_refused(void **state)
{
    (void)state;
    check("\"key_ID\":\"x%s\",\"key\":\"%s\"", false);
    check("\"key_ID\":\"%s\",\"key\":\"%s \"", false);
    check("\"key_ID\":\"%s\",\"key\":\"%s\",}", false);
}

static void nor_in_an_extension(void **state)
{
    (void)state;
    check("\"key_ID\":\"%s\",\"key_extension\":{\"key\":\"%s\"}", false);
}

static void nor_when_a_server_writes_its_answer(void **state)
{
    struct etsi014_container container;
    struct status status = STATUS_INIT;
    char text[TEXT_BYTES];
    size_t length = make_text("\"key_ID\":\"%s\",\"key\":\"%s\"", text);
    struct buf buf;

    (void)state;
    assert_true(etsi014_container_parse(text, length, &container, &status));
    buf_init(&buf, TEXT_BYTES);
    etsi014_container_put(&buf, &container);
    assert_false(buf.failed);
    assert_non_null(memmem(buf.data, buf.length, watch.parts[0], PART_CHARS));
    assert_int_equal(watch.found, 0);
    buf_free(&buf);
    etsi014_container_free(&container);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_watch_finds_a_key_that_the_library_did_see),
        cmocka_unit_test(the_json_library_never_sees_a_key),
        cmocka_unit_test(nor_when_the_answer_is_refused),
        cmocka_unit_test(nor_in_an_extension),
        cmocka_unit_test(nor_when_a_server_writes_its_answer),
    };

    json_set_alloc_funcs(watched_malloc, watched_free);
    return RUN_TESTS(tests);
}
