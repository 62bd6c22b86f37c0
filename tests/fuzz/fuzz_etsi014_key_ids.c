/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "etsi/etsi014.h"

#define ID_A "{\"key_ID\":\"00000000-0000-4000-8000-00000000000a\"}"
#define ID_B "{\"key_ID\":\"00000000-0000-4000-8000-00000000000B\",\"key_ID_extension\":{}}"
#define ID_C "{\"master_SAE_ID\":\"alice\",\"key_ID\":\"ffffffff-ffff-ffff-ffff-ffffffffffff\"}"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"key_IDs\":[" ID_A "]}"),
    FUZZ_SEED("{\"key_IDs\":[" ID_A "," ID_B "," ID_C "],\"key_IDs_extension\":{\"x\":[1]}}"),
    FUZZ_SEED("{ \"key_IDs\" : [ " ID_C " , " ID_B " ] }"),
};
FUZZ_SEED_COUNT;

enum { MAX_IDS = 4, TEXT_MAX_BYTES = 4096 };

static void check_accepted(const struct key_id *ids, size_t count)
{
    struct etsi014_error error;
    struct key_id again[MAX_IDS];
    size_t again_count = 0;
    struct buf buf;

    FUZZ_CHECK(count >= 1 && count <= MAX_IDS);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            FUZZ_CHECK(!key_id_equal(&ids[i], &ids[j]));
    buf_init(&buf, TEXT_MAX_BYTES);
    etsi014_key_ids_put(&buf, ids, count);
    FUZZ_CHECK(!buf.failed);
    FUZZ_CHECK(etsi014_key_ids_parse(buf.data, buf.length, again, MAX_IDS, &again_count, &error));
    FUZZ_CHECK(again_count == count && memcmp(again, ids, count * sizeof(ids[0])) == 0);
    buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_id ids[MAX_IDS];
    struct etsi014_error error;
    size_t count = 0;

    if (etsi014_key_ids_parse(data, size, ids, MAX_IDS, &count, &error))
        check_accepted(ids, count);
    else
        FUZZ_CHECK(error.http_status == 400 && error.message[0] != '\0' && count == 0);
    return 0;
}
