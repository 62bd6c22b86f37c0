/* SPDX-License-Identifier: Apache-2.0 */
/* One key at both ends, when the other SAE's openssl.cnf is at hand, as in a laboratory. */
#include <string.h>

#include "ctl/doctor_net.h"
#include "ctl/openssl_cnf.h"
#include "keys/source.h"

enum { PAIR_LIMIT_MS = 10000 };

/* The other end, read from its file. */
struct other {
    char *values[SETTING_COUNT];
    struct settings *settings;
};

static void other_free(struct other *other)
{
    settings_free(other->settings);
    openssl_cnf_free(other->values);
}

static bool other_read(struct doctor *doctor, struct other *other)
{
    struct status status = STATUS_INIT;

    if (openssl_cnf_read(doctor->choices.peer_config, other->values, &status)) {
        other->settings = settings_new((const char *const *)other->values);
        if (other->settings == NULL)
            status_fail(&status, OUTCOME_INTERNAL, "out of memory");
        else if (settings_fault(other->settings)->outcome != OUTCOME_OK)
            status_fail(&status, OUTCOME_CONFIG, "%s", settings_fault(other->settings)->text);
    }
    if (status.outcome != OUTCOME_OK)
        doctor_wrong(doctor, "examine that file by itself: qkdctl doctor --config FILE",
                     "the other SAE's file '%s': %s", doctor->choices.peer_config, status.text);
    return status.outcome == OUTCOME_OK;
}

/* What has to be the same, or crosswise, in both files. */
static bool agree(struct doctor *doctor, const struct settings *theirs)
{
    const struct settings *ours = doctor->settings;
    char cure[DOCTOR_CURE_BYTES];

    if (strcmp(settings_peer(ours), settings_sae(theirs)) != 0)
        doctor_wrong(doctor,
                     doctor_cure(cure, "in section [%s] write the line as: peer = %s",
                                 doctor->provider_section, settings_sae(theirs)),
                     "our peer is '%s', and the other SAE is '%s'", settings_peer(ours),
                     settings_sae(theirs));
    else if (strcmp(settings_sae(ours), settings_peer(theirs)) != 0)
        doctor_wrong(doctor,
                     doctor_cure(cure,
                                 "in the provider's section of %s write the line as: peer = %s",
                                 doctor->choices.peer_config, settings_sae(ours)),
                     "the other SAE's peer is '%s', and we are '%s'", settings_peer(theirs),
                     settings_sae(ours));
    else if (settings_api(ours) != settings_api(theirs))
        doctor_wrong(doctor,
                     "let both lines kme begin with https:// (ETSI 014), or both with etsi004://",
                     "one end asks its key server by ETSI 014 and the other by ETSI 004");
    else
        return true;
    return false;
}

/* The order of a handshake: the initiator reserves, the responder claims what was named, the
 * initiator collects. */
static bool fetch(struct doctor *doctor, struct source *ours, struct source *theirs,
                  struct key_ref *ref, bool *same, struct status *status)
{
    struct deadline deadline = deadline_in_ms(PAIR_LIMIT_MS);
    struct delivery claimed = {NULL, NULL}, collected = {NULL, NULL};
    struct reservation *reservation = NULL;
    bool ok = source_reserve(ours, &deadline, &reservation, status) ||
              status_prefix(status, "our key server");

    if (ok) {
        doctor->keys_used++;
        *ref = *reservation_ref(reservation);
        ok = source_claim(theirs, ref, &deadline, &claimed, status) ||
             status_prefix(status, "the other SAE's key server");
    }
    ok = ok && (reservation_collect(reservation, &deadline, &collected, status) ||
                status_prefix(status, "our key server"));
    *same = ok && secret_equal(claimed.key, collected.key);
    secret_free(claimed.key);
    secret_free(collected.key);
    reservation_free(reservation);
    return ok;
}

static void try_key(struct doctor *doctor, const struct settings *theirs)
{
    struct source *our_source = source_new(doctor->settings, NULL);
    struct source *their_source = source_new(theirs, NULL);
    char id[KEY_ID_TEXT_CHARS + 1];
    struct status status = STATUS_INIT;
    struct key_ref ref;
    bool same = false;

    if (our_source == NULL || their_source == NULL)
        status_fail(&status, OUTCOME_INTERNAL, "out of memory");
    else if (fetch(doctor, our_source, their_source, &ref, &same, &status))
        key_id_format(&ref.id, id);
    source_free(our_source);
    source_free(their_source);
    if (status.outcome != OUTCOME_OK)
        doctor_wrong(doctor,
                     "examine the other SAE's file by itself; if both are sound, see that the two "
                     "key servers are linked with each other",
                     "one key for both ends: %s", status.text);
    else if (!same)
        doctor_wrong(doctor,
                     "see that the two key servers are linked with each other, and report "
                     "this to their operators",
                     "the two key servers delivered different keys under ID %s", id);
    else
        doctor_ok(doctor, "'%s' and '%s' got the same key, ID %s", settings_sae(doctor->settings),
                  settings_sae(theirs), id);
}

void doctor_pair(struct doctor *doctor)
{
    struct other other = {.settings = NULL};

    if (doctor->choices.peer_config == NULL) {
        doctor_not_tried(doctor, "no --peer-config was given");
        return;
    }
    if (other_read(doctor, &other) && agree(doctor, other.settings))
        try_key(doctor, other.settings);
    other_free(&other);
}
