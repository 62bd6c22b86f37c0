/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "etsi/etsi014.h"

#define ID_A "\"00000000-0000-4000-8000-00000000000a\""
#define ID_B "\"00000000-0000-4000-8000-00000000000b\""
#define KEY "\"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\""

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"keys\":[{\"key_ID\":" ID_A ",\"key\":" KEY "}]}"),
    FUZZ_SEED("{\"keys\":[{\"key_ID\":" ID_A ",\"key\":" KEY "},{\"key\":\"Zm9v\",\"key_ID\":" ID_B
              "}],\"key_container_extension\":{\"key\":\"1\"}}"),
    FUZZ_SEED("{\n \"keys\" : [\n {\"key_ID\" : " ID_A ", \"key\" : \"\\/\\/\\/\\/\" } ] }"),
    FUZZ_SEED("{\"keys\":[{\"key_ID\":" ID_A ",\"key\":" KEY
              ",\"key_extension\":{\"key\":[\"key\",{\"key\":\"0\"}]},\"k\\u0065y\":\"0\"}]}"),
    FUZZ_SEED("{\"keys\":[]}"),
};
FUZZ_SEED_COUNT;

enum { TEXT_MAX_BYTES = 65536 };

static void check_same(const struct etsi014_container *one, const struct etsi014_container *other)
{
    FUZZ_CHECK(one->count == other->count);
    for (size_t i = 0; i < one->count; i++) {
        FUZZ_CHECK(key_id_equal(&one->keys[i].id, &other->keys[i].id));
        FUZZ_CHECK(secret_equal(one->keys[i].key, other->keys[i].key));
    }
}

/* What was accepted can be written, and reads as the same. */
static void check_round_trip(const struct etsi014_container *container)
{
    static struct etsi014_container again;
    struct status status = STATUS_INIT;
    struct buf buf;

    buf_init(&buf, ETSI014_RESPONSE_MAX_BYTES);
    etsi014_container_put(&buf, container);
    FUZZ_CHECK(!buf.failed);
    FUZZ_CHECK(etsi014_container_parse((char *)buf.data, buf.length, &again, &status));
    check_same(container, &again);
    etsi014_container_free(&again);
    buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct etsi014_container container;
    struct status status = STATUS_INIT;
    char *text;

    if (size > TEXT_MAX_BYTES || (text = malloc(size > 0 ? size : 1)) == NULL)
        return 0;
    memcpy(text, data, size);
    container.count = 99;
    if (etsi014_container_parse(text, size, &container, &status)) {
        FUZZ_CHECK(status.outcome == OUTCOME_OK);
        FUZZ_CHECK(container.count <= ETSI014_KEYS_MAX);
        check_round_trip(&container);
        etsi014_container_free(&container);
    } else {
        FUZZ_CHECK(status.outcome == OUTCOME_KME && status.text[0] != '\0');
    }
    FUZZ_CHECK(container.count == 0);
    free(text);
    return 0;
}
