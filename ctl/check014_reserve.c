/* SPDX-License-Identifier: Apache-2.0 */
/* enc_keys: what is delivered. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "ctl/check014.h"

static int64_t default_bits(const struct check_run *run)
{
    const struct check014 *state = check014_of(run);

    return state->limits_known ? state->limits.key_size_bits : 0;
}

/* One key of the default size. */
static bool one_default(struct check_run *run, struct check_report *report, const char *what,
                        const struct call014 *call)
{
    struct keys014 keys;
    bool ok = keys014_get(run, report, what, call, 1, default_bits(run), &keys);

    if (keys.answer.code == 405)
        check_deviation(report, 1);
    keys014_free(&keys);
    return ok;
}

void check_s14_09(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys"};

    one_default(run, report, "GET", &call);
}

enum { WISH_NUMBER = 3, WISH_BITS = 1024 };

void check_s14_10(struct check_run *run, struct check_report *report)
{
    const size_t number = number014(run, WISH_NUMBER);
    const int64_t size_bits = size014(run, WISH_BITS);
    char query[64];
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .query = query};
    struct keys014 keys;

    snprintf(query, sizeof(query), "?number=%zu&size=%" PRId64, number, size_bits);
    keys014_get(run, report, "GET with number and size", &call, number, size_bits, &keys);
    keys014_free(&keys);
}

void check_s14_11(struct check_run *run, struct check_report *report)
{
    struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .body = "{}"};
    struct check_report inner = {.result = CHECK_PASSED};

    if (!one_default(run, report, "POST of {}", &call))
        return;
    call.body = "";
    if (!one_default(run, &inner, "POST of an empty body", &call))
        check_advise(run, report, "%s", inner.text.text);
}

void check_s14_12(struct check_run *run, struct check_report *report)
{
    const size_t number = number014(run, WISH_NUMBER);
    const int64_t size_bits = size014(run, WISH_BITS);
    char body[64];
    struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .body = body};
    struct check_report inner = {.result = CHECK_PASSED};
    struct keys014 keys;
    bool ok;

    snprintf(body, sizeof(body), "{\"number\": %zu, \"size\": %" PRId64 "}", number, size_bits);
    ok = keys014_get(run, report, "POST with number and size", &call, number, size_bits, &keys);
    keys014_free(&keys);
    if (!ok)
        return;
    call.query = "?number=2&size=16";
    if (!keys014_get(run, &inner, "POST with a query beside its body", &call, number, size_bits,
                     &keys))
        check_advise(run, report, "%s", inner.text.text);
    keys014_free(&keys);
}

enum { UUID_VERSION_OCTET = 6, UUID_VARIANT_OCTET = 8 };

/* Whether the ID is these octets, but for the bits that any UUID has fixed. */
static bool is_made_of(const struct key_id *id, const uint8_t *octets)
{
    for (size_t i = 0; i < KEY_ID_BYTES; i++) {
        uint8_t mask = i == UUID_VERSION_OCTET ? 0x0f : i == UUID_VARIANT_OCTET ? 0x3f : 0xff;

        if (((id->octets[i] ^ octets[i]) & mask) != 0)
            return false;
    }
    return true;
}

static bool is_derived(const struct etsi014_key *key)
{
    static const char *const digests[] = {"MD5", "SHA1", "SHA256", "SHA512", "SHA3-256"};
    uint8_t digest[EVP_MAX_MD_SIZE];
    bool derived = key->key->size_bytes >= KEY_ID_BYTES && is_made_of(&key->id, key->key->bytes);

    for (size_t i = 0; !derived && i < sizeof(digests) / sizeof(digests[0]); i++)
        derived = EVP_Q_digest(NULL, digests[i], NULL, key->key->bytes, key->key->size_bytes,
                               digest, NULL) == 1 &&
                  is_made_of(&key->id, digest);
    OPENSSL_cleanse(digest, sizeof(digest));
    return derived;
}

/* The text of the IDs: the answer's body, whose keys were lifted out when it was read. */
static bool judge_id_texts(const struct check_run *run, struct check_report *report,
                           const struct answer *answer)
{
    json_t *body = json_loadb((const char *)answer->body.data, answer->body.length, 0, NULL);
    const json_t *keys = json_object_get(body, "keys");
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(keys); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(keys, i), "key_ID"));

        if (id == NULL) {
            check_deviation(report, 9);
            ok = check_fail(report, "expected the member key_ID, came none");
        } else if (strpbrk(id, "ABCDEF") != NULL) {
            ok = check_advise(run, report, "expected a key_ID in lower case, came %s", id);
        }
    }
    json_decref(body);
    return ok;
}

static bool judge_ids(struct check_run *run, struct check_report *report,
                      const struct keys014 *keys)
{
    for (size_t i = 0; i < keys->container.count; i++) {
        if (is_derived(&keys->container.keys[i])) {
            check_deviation(report, 28);
            return check_fail(report, "expected a random key_ID, came one made of the key");
        }
        for (size_t j = 0; j < i; j++)
            if (secret_equal(keys->container.keys[i].key, keys->container.keys[j].key))
                return check_fail(report, "expected different keys, came the same octets under "
                                          "two key_IDs");
    }
    return judge_id_texts(run, report, &keys->answer);
}

void check_s14_13(struct check_run *run, struct check_report *report)
{
    enum { BATCH = 16, SINGLES = 4 };
    struct keys014 keys;
    bool ok = true;

    /* That no ID comes twice is seen wherever keys are reserved. */
    for (int i = 0; ok && i < SINGLES; i++) {
        const size_t number = i == 0 ? number014(run, BATCH) : 1;

        ok = reserve014(run, report, NULL, number, size014(run, 256), &keys) &&
             judge_ids(run, report, &keys);
        keys014_free(&keys);
    }
}

void check_s14_14(struct check_run *run, struct check_report *report)
{
    const struct etsi014_status *limits = &check014_of(run)->limits;
    const int64_t sizes[] = {size014(run, limits->min_key_size_bits), size014(run, 128),
                             size014(run, 264), size014(run, 520), size014(run, 4096)};
    char query[64], what[64];
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .query = query};
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct keys014 keys;

        snprintf(query, sizeof(query), "?size=%" PRId64, sizes[i]);
        snprintf(what, sizeof(what), "a key of %" PRId64 " bits", sizes[i]);
        ok = keys014_get(run, report, what, &call, 1, sizes[i], &keys);
        keys014_free(&keys);
    }
}

void check_s14_19(struct check_run *run, struct check_report *report)
{
    const char what[] = "an unknown optional extension";
    const struct call014 call = {.end = CHECK_INITIATOR,
                                 .method = "enc_keys",
                                 .body = "{\"extension_optional\": [{\"qkdctl_unheard_of\": 1}]}"};
    struct check_report inner = {.result = CHECK_PASSED};
    struct keys014 keys;

    if (!keys014_get(run, &inner, what, &call, 1, 0, &keys)) {
        if (keys.answer.code != 400)
            check_fail(report, "%s", inner.text.text);
        else if (expect_error(report, what, &keys.answer,
                              "not all extension_optional request options handled"))
            check_note(report, "it answers 400 with the message that the standard has for this");
    }
    keys014_free(&keys);
}

void check_s14_20(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {
        .end = CHECK_INITIATOR,
        .method = "enc_keys",
        .body = "{\"extension_mandatory\": [], \"extension_optional\": [], "
                "\"additional_slave_SAE_IDs\": []}",
    };

    one_default(run, report, "empty arrays", &call);
}

enum fall { FALL_RIGHT, FALL_WRONG, FALL_UNCLEAR, FALL_BROKE };

static bool stock014(struct check_run *run, struct check_report *report, int64_t *count)
{
    struct etsi014_status value = {.stored_key_count = 0};
    bool ok = status014_get(run, report, &value);

    *count = value.stored_key_count;
    return ok;
}

/* One attempt. Keys come in while we look: only a count that was at rest before and after says
 * that it fell by the wrong number. */
static enum fall stock_falls(struct check_run *run, struct check_report *report, size_t number,
                             int64_t *fell)
{
    int64_t first, before, after, last;
    struct keys014 keys;
    bool ok;

    if (!stock014(run, report, &first) || !stock014(run, report, &before))
        return FALL_BROKE;
    ok = reserve014(run, report, NULL, number,
                    default_bits(run) > 0 ? default_bits(run) : size014(run, 256), &keys);
    keys014_free(&keys);
    if (!ok || !stock014(run, report, &after) || !stock014(run, report, &last))
        return FALL_BROKE;
    *fell = before - after;
    if (*fell == (int64_t)number)
        return FALL_RIGHT;
    return first == before && after == last ? FALL_WRONG : FALL_UNCLEAR;
}

void check_s14_25(struct check_run *run, struct check_report *report)
{
    enum { ATTEMPTS = 16, WISH = 4, WRONG_ENOUGH = 4 };
    const size_t number = number014(run, WISH);
    int64_t fell = 0;
    int wrong = 0;

    for (int i = 0; i < ATTEMPTS && wrong < WRONG_ENOUGH; i++) {
        enum fall found = stock_falls(run, report, number, &fell);

        if (found == FALL_RIGHT || found == FALL_BROKE)
            return;
        wrong += found == FALL_WRONG;
    }
    if (wrong < WRONG_ENOUGH)
        check_skip(report, "keys come in too fast to see a few go");
    else
        check_fail(report,
                   "expected stored_key_count to fall by %zu, came a fall by %" PRId64
                   ", and the like in %d attempts",
                   number, fell, wrong);
}
