/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "ctl/check014.h"

static const struct {
    const char *name;
    json_type type;
} members[] = {
    {"source_KME_ID", JSON_STRING},     {"target_KME_ID", JSON_STRING},
    {"master_SAE_ID", JSON_STRING},     {"slave_SAE_ID", JSON_STRING},
    {"key_size", JSON_INTEGER},         {"stored_key_count", JSON_INTEGER},
    {"max_key_count", JSON_INTEGER},    {"max_key_per_request", JSON_INTEGER},
    {"max_key_size", JSON_INTEGER},     {"min_key_size", JSON_INTEGER},
    {"max_SAE_ID_count", JSON_INTEGER},
};

static bool judge_members(const json_t *object, struct check_report *report)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const json_t *member = json_object_get(object, members[i].name);

        if (member == NULL) {
            check_deviation(report, 10);
            return check_fail(report, "expected the member %s, came none", members[i].name);
        }
        if (json_typeof(member) != members[i].type)
            return check_fail(report, "expected %s to be %s, came another type", members[i].name,
                              members[i].type == JSON_STRING ? "a string" : "an integer");
    }
    return true;
}

static bool get(struct check_run *run, struct check_report *report, const struct call014 *call,
                struct answer *answer)
{
    return call014(run, report, call, answer) && expect_code(report, "status", answer, 200);
}

void check_s14_05(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status"};
    struct answer answer;
    json_t *object = NULL;

    if (get(run, report, &call, &answer)) {
        if (!answer_field_is(&answer, "Content-Type", "application/json"))
            check_fail(report, "expected Content-Type application/json");
        object = json_loadb((const char *)answer.body.data, answer.body.length,
                            JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(object))
            check_fail(report, "expected a JSON object, came something else");
        else
            judge_members(object, report);
    }
    json_decref(object);
    answer_free(&answer);
}

bool status014_get(struct check_run *run, struct check_report *report, struct etsi014_status *value)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status"};
    struct status status = STATUS_INIT;
    struct answer answer;
    bool ok = get(run, report, &call, &answer);

    if (ok && !etsi014_status_parse(answer.body.data, answer.body.length, value, &status))
        ok = check_broke(report, &status);
    answer_free(&answer);
    return ok;
}

void check_s14_06(struct check_run *run, struct check_report *report)
{
    struct etsi014_status value;

    if (!status014_get(run, report, &value))
        return;
    if (strcmp(value.master_sae_id, check_sae(run, CHECK_INITIATOR)) != 0)
        check_fail(report, "expected master_SAE_ID %s, came %s", check_sae(run, CHECK_INITIATOR),
                   value.master_sae_id);
    if (strcmp(value.slave_sae_id, check_sae(run, CHECK_RESPONDER)) != 0)
        check_fail(report, "expected slave_SAE_ID %s, came %s", check_sae(run, CHECK_RESPONDER),
                   value.slave_sae_id);
}
