/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "kme/misbehave.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"set\":{\"kind\":\"delay\",\"sae\":\"alice\",\"api\":\"014\",\"min_ms\":5,"
              "\"max_ms\":900,\"one_in\":3}}"),
    FUZZ_SEED("{\"set\":{\"kind\":\"error\",\"method\":\"get_key\",\"code\":6,\"percent\":50}}"),
    FUZZ_SEED("{\"set\":{\"kind\":\"trailing_slash\",\"method\":\"dec_keys\"}}"),
    FUZZ_SEED("{\"clear\":\"all\"}"),
    FUZZ_SEED("{\"clear\":12}"),
};
FUZZ_SEED_COUNT;

static void put_text(void *arg, const char *name, const char *text)
{
    struct status status = STATUS_INIT;

    FUZZ_CHECK(misbehave_rule_text(arg, name, text, &status));
}

static void put_number(void *arg, const char *name, int64_t number)
{
    struct status status = STATUS_INIT;

    FUZZ_CHECK(misbehave_rule_number(arg, name, number, &status));
}

/* What is listed is a rule again, and the same one. */
static void check_round_trip(const struct misbehave_rule *rule)
{
    struct status status = STATUS_INIT;
    struct misbehave_rule again;

    misbehave_rule_init(&again);
    misbehave_rule_visit(rule, put_text, put_number, &again);
    FUZZ_CHECK(misbehave_rule_finish(&again, &status));
    FUZZ_CHECK(memcmp(&again, rule, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct status status = STATUS_INIT;
    struct misbehave_request request;

    if (!misbehave_request_parse(data, size, &request, &status)) {
        FUZZ_CHECK(status.outcome == OUTCOME_INPUT && status.text[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(status.outcome == OUTCOME_OK);
    if (request.what == MISBEHAVE_SET) {
        FUZZ_CHECK(request.rule.kind < MISBEHAVE_KIND_COUNT && request.rule.calls != 0);
        FUZZ_CHECK((request.rule.one_in == 0) != (request.rule.percent == 0));
        check_round_trip(&request.rule);
    } else {
        FUZZ_CHECK(request.number >= 0);
    }
    return 0;
}
