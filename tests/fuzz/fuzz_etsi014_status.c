/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "etsi/etsi014.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"source_KME_ID\":\"AAAABBBBCCCCDDDD\",\"target_KME_ID\":\"EEEEFFFFGGGGHHHH\","
              "\"master_SAE_ID\":\"IIIIJJJJKKKKLLLL\",\"slave_SAE_ID\":\"MMMMNNNNOOOOPPPP\","
              "\"key_size\":352,\"stored_key_count\":25000,\"max_key_count\":100000,"
              "\"max_key_per_request\":128,\"max_key_size\":1024,\"min_key_size\":64,"
              "\"max_SAE_ID_count\":0}"),
    FUZZ_SEED("{\"key_size\":-9223372036854775808,\"status_extension\":{\"a\":[1.5e3,null]}}"),
    FUZZ_SEED("{\"slave_SAE_ID\":\"z\\u00fcrich \xc3\xa9\\ud83d\\ude00\"}"),
};
FUZZ_SEED_COUNT;

enum { TEXT_MAX_BYTES = 16384 };

static void check_round_trip(const struct etsi014_status *value)
{
    struct status status = STATUS_INIT;
    struct etsi014_status again;
    struct buf buf;

    buf_init(&buf, TEXT_MAX_BYTES);
    etsi014_status_put(&buf, value);
    FUZZ_CHECK(!buf.failed);
    FUZZ_CHECK(etsi014_status_parse(buf.data, buf.length, &again, &status));
    FUZZ_CHECK(memcmp(&again, value, sizeof(again)) == 0);
    buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct status status = STATUS_INIT;
    struct etsi014_status value;

    if (etsi014_status_parse(data, size, &value, &status)) {
        FUZZ_CHECK(status.outcome == OUTCOME_OK);
        FUZZ_CHECK(strnlen(value.slave_sae_id, sizeof(value.slave_sae_id)) <= ETSI014_ID_MAX_CHARS);
        check_round_trip(&value);
    } else {
        FUZZ_CHECK(status.outcome == OUTCOME_KME && status.text[0] != '\0');
    }
    return 0;
}
