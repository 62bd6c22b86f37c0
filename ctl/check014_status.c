/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
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

static bool is_name(const char *key)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (strcmp(key, members[i].name) == 0)
            return true;
    return false;
}

/* The same but for letters: their case, or two of them swapped. */
static bool is_like(const char *key, const char *name)
{
    size_t differing = 0;

    if (strlen(key) != strlen(name) || is_name(key))
        return false;
    for (size_t i = 0; name[i] != '\0'; i++)
        differing += (key[i] | 0x20) != (name[i] | 0x20);
    return differing <= 2;
}

static bool has_name_like(json_t *object, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) if (is_like(key, name)) return true;
    return false;
}

static bool judge_members(json_t *object, struct check_report *report)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const json_t *member = json_object_get(object, members[i].name);

        if (member == NULL) {
            check_deviation(report, has_name_like(object, members[i].name) ? 9 : 10);
            return check_fail(report, "expected the member %s, came none", members[i].name);
        }
        if (json_typeof(member) != members[i].type)
            return check_fail(report, "expected %s to be %s, came another type", members[i].name,
                              members[i].type == JSON_STRING ? "a string" : "an integer");
    }
    return true;
}

static json_t *parse(const struct answer *answer)
{
    json_t *object = answer->body.length > 0
                         ? json_loadb((const char *)answer->body.data, answer->body.length,
                                      JSON_REJECT_DUPLICATES, NULL)
                         : NULL;

    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

void check_s14_05(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status"};
    struct answer answer;
    json_t *object = NULL;

    if (check014_of(run)->slash) {
        check_deviation(report, 5);
        check_fail(report, "expected the path of Table 2, but it works only with a slash at its "
                           "end, which all checks use now");
    }
    if (call014(run, report, &call, &answer) && expect_code(report, "status", &answer, 200)) {
        if (!answer_field_is(&answer, "Content-Type", "application/json"))
            check_fail(report, "expected Content-Type application/json, came another");
        object = parse(&answer);
        if (object == NULL)
            check_fail(report, "expected a JSON object, came something else");
        else
            judge_members(object, report);
    }
    json_decref(object);
    answer_free(&answer);
}

static void copy_text(const json_t *object, const char *name,
                      char to[static ETSI014_ID_MAX_CHARS + 1])
{
    const char *text = json_string_value(json_object_get(object, name));

    snprintf(to, ETSI014_ID_MAX_CHARS + 1, "%s", text != NULL ? text : "");
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* Types are the matter of S14.05 alone. */
static void take_status(const json_t *object, struct etsi014_status *value)
{
    copy_text(object, "source_KME_ID", value->source_kme_id);
    copy_text(object, "target_KME_ID", value->target_kme_id);
    copy_text(object, "master_SAE_ID", value->master_sae_id);
    copy_text(object, "slave_SAE_ID", value->slave_sae_id);
    value->key_size_bits = number_of(object, "key_size");
    value->stored_key_count = number_of(object, "stored_key_count");
    value->max_key_count = number_of(object, "max_key_count");
    value->max_key_per_request = number_of(object, "max_key_per_request");
    value->max_key_size_bits = number_of(object, "max_key_size");
    value->min_key_size_bits = number_of(object, "min_key_size");
    value->max_sae_id_count = number_of(object, "max_SAE_ID_count");
}

static bool get(struct check_run *run, struct check_report *report, const struct call014 *call,
                struct etsi014_status *value)
{
    struct answer answer;
    json_t *object = NULL;

    if (call014(run, report, call, &answer) && expect_code(report, "status", &answer, 200)) {
        object = parse(&answer);
        if (object == NULL)
            check_fail(report, "status: expected a JSON object, came something else");
        else
            take_status(object, value);
    }
    answer_free(&answer);
    json_decref(object);
    return object != NULL;
}

bool status014_get(struct check_run *run, struct check_report *report, struct etsi014_status *value)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status"};

    return get(run, report, &call, value);
}

static bool expect_names(struct check_run *run, struct check_report *report,
                         const struct call014 *call)
{
    const char *master = check_sae(run, CHECK_INITIATOR), *slave = check_sae(run, CHECK_RESPONDER);
    struct etsi014_status value;

    if (!get(run, report, call, &value))
        return false;
    if (strcmp(value.master_sae_id, master) != 0)
        return check_fail(report, "expected master_SAE_ID %s, came %s", master,
                          value.master_sae_id);
    return strcmp(value.slave_sae_id, slave) == 0 ||
           check_fail(report, "expected slave_SAE_ID %s, came %s", slave, value.slave_sae_id);
}

void check_s14_06(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status"};

    expect_names(run, report, &call);
}

void check_s14_03(struct check_run *run, struct check_report *report)
{
    const char *other = check_sae(run, CHECK_RESPONDER);
    char fields[2048];
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status", .fields = fields};

    if (strpbrk(other, "\r\n") != NULL) {
        check_skip(report, "the responder's SAE ID does not fit into a header");
        return;
    }
    snprintf(fields, sizeof(fields),
             "X-SAE-ID: %s\r\nX-Client-DN: CN=%s\r\nX-SSL-Client-S-DN: CN=%s\r\n"
             "X-Forwarded-Tls-Client-Cert-Info: Subject=\"CN=%s\"\r\n",
             other, other, other, other);
    expect_names(run, report, &call);
}

void check_s14_07(struct check_run *run, struct check_report *report)
{
    struct etsi014_status value;

    if (!status014_get(run, report, &value))
        return;
    if (value.key_size_bits <= 0 || value.max_key_per_request < 1 || value.max_key_count < 1)
        check_deviation(report, 10);
    if (value.key_size_bits > 0 && value.key_size_bits < 128)
        check_deviation(report, 19);
    if (value.min_key_size_bits > value.key_size_bits ||
        value.key_size_bits > value.max_key_size_bits || value.key_size_bits < 1)
        check_fail(report,
                   "expected min_key_size <= key_size <= max_key_size, came %" PRId64 ", %" PRId64
                   ", %" PRId64,
                   value.min_key_size_bits, value.key_size_bits, value.max_key_size_bits);
    if (value.stored_key_count < 0 || value.stored_key_count > value.max_key_count)
        check_fail(report,
                   "expected stored_key_count <= max_key_count, came %" PRId64 " and %" PRId64,
                   value.stored_key_count, value.max_key_count);
    if (value.max_key_per_request < 1)
        check_fail(report, "expected max_key_per_request >= 1, came %" PRId64,
                   value.max_key_per_request);
}

void check_s14_08(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {
        .end = CHECK_INITIATOR, .method = "status", .verb = "POST", .body = "{}"};

    call014_not_allowed(run, report, &call);
}

/* The ID with every octet percent-encoded, once or twice. */
static void encoded(const char *sae, bool twice, char text[static CHECK014_PATH_BYTES])
{
    struct buf once, result;

    buf_init(&once, CHECK014_PATH_BYTES);
    buf_init(&result, CHECK014_PATH_BYTES - 1);
    put_segment014(&once, sae, true);
    buf_put_u8(&once, '\0');
    if (twice && once.data != NULL)
        put_segment014(&result, (const char *)once.data, false);
    else
        buf_put(&result, once.data, once.length);
    snprintf(text, CHECK014_PATH_BYTES, "%.*s", result.failed ? 0 : (int)result.length,
             result.data != NULL ? (const char *)result.data : "");
    buf_free(&once);
    buf_free(&result);
}

/* Whether letters of an ID change when their case is swapped. */
static bool swap_case(const char *sae, char text[static ETSI014_ID_MAX_CHARS + 1])
{
    bool changed = false;
    size_t i;

    for (i = 0; sae[i] != '\0' && i < ETSI014_ID_MAX_CHARS; i++) {
        bool letter = (sae[i] >= 'a' && sae[i] <= 'z') || (sae[i] >= 'A' && sae[i] <= 'Z');

        text[i] = (char)(letter ? sae[i] ^ 0x20 : sae[i]);
        changed |= letter;
    }
    text[i] = '\0';
    return changed;
}

/* Whether the key server takes this path segment for the responder. */
static bool expect_another(struct check_run *run, struct check_report *report, const char *what,
                           const char *segment)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status", .peer = segment};
    struct answer answer;
    struct etsi014_status value;
    json_t *object;
    bool ok = call014(run, report, &call, &answer);

    if (ok && answer.code == 200 && (object = parse(&answer)) != NULL) {
        take_status(object, &value);
        if (strcmp(value.slave_sae_id, check_sae(run, CHECK_RESPONDER)) == 0)
            ok = check_fail(report, "%s: expected another SAE than the responder, came it", what);
        json_decref(object);
    }
    answer_free(&answer);
    return ok;
}

void check_s14_43(struct check_run *run, struct check_report *report)
{
    const char *sae = check_sae(run, CHECK_RESPONDER);
    char segment[CHECK014_PATH_BYTES], swapped[ETSI014_ID_MAX_CHARS + 1];
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "status", .peer = segment};

    encoded(sae, false, segment);
    if (!expect_names(run, report, &call))
        return;
    encoded(sae, true, segment);
    if (!expect_another(run, report, "its ID encoded twice", segment) || !swap_case(sae, swapped))
        return;
    encoded(swapped, false, segment);
    expect_another(run, report, "its ID with letters of the other case", segment);
}
