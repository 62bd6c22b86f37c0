/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of one end (interfaces: the provider's section of openssl.cnf), read once.
 * A mistake does not prevent the object: it is kept as a fault, a sentence that names the
 * setting, with which every later use fails. Immutable after settings_new; any thread may read.
 */
#ifndef QKD_KEYS_SETTINGS_H
#define QKD_KEYS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "net/endpoint.h"

/* Who reserves the key of a handshake when our TLS client offers a group. */
enum initiator { INITIATOR_CLIENT, INITIATOR_SERVER };

enum setting_name {
    SETTING_SAE,
    SETTING_PEER,
    SETTING_KME,
    SETTING_CERT,
    SETTING_KEY,
    SETTING_CA,
    SETTING_INITIATOR,
    SETTING_TIMEOUT_MS,
    SETTING_SOURCE_URI,
    SETTING_DESTINATION_URI,
    SETTING_ETSI004_DIALECT,
    SETTING_KME_GROUPS,
    SETTING_KME_REQUIRE_PQ,
    SETTING_POOL,
    SETTING_POOL_MAX_AGE_S,
    SETTING_MAX_KEYS_PER_SECOND,
    SETTING_MAX_KEYS_BURST,
    SETTING_COUNT
};

enum { TIMEOUT_MS_MAX = 60000 };

/* What a number may be. */
struct setting_range {
    int least, most, by_default;
};

/* NULL for a setting that is no number. */
const struct setting_range *setting_range(enum setting_name name);

/* The name as written in openssl.cnf, for example "timeout-ms". */
const char *setting_text(enum setting_name name);

struct settings;

/* values[i] is the text given for setting i, or NULL; borrowed. Reads the files that cert, key
 * and ca name. NULL only when out of memory. */
struct settings *settings_new(const char *const values[static SETTING_COUNT]);
void settings_free(struct settings *settings);

/* Whether nothing at all was set: nobody asked for QKD in this process. */
bool settings_absent(const struct settings *settings);

/* The first mistake; OUTCOME_OK when there is none. Everything below is valid only then. */
const struct status *settings_fault(const struct settings *settings);

const char *settings_sae(const struct settings *settings);
const char *settings_peer(const struct settings *settings);
const char *settings_kme(const struct settings *settings); /* URL or URLs, as given */
enum initiator settings_initiator(const struct settings *settings);

/* The value of a setting that has a range. */
int settings_number(const struct settings *settings, enum setting_name name);
int settings_timeout_ms(const struct settings *settings);

/* ETSI 004 only: how the key server speaks, and the two ends of our streams (clause 6.1). */
enum dialect004 {
    DIALECT004_W1,   /* the wire profile W1, and the standard's meaning of every status */
    DIALECT004_W2,   /* the wire profile W2: one connection for each call */
    DIALECT004_QUBIP /* W1 as its server speaks it: status 7 opens, metadata is mandatory */
};

enum dialect004 settings_etsi004_dialect(const struct settings *settings);
const char *settings_source_uri(const struct settings *settings);
const char *settings_destination_uri(const struct settings *settings);

enum endpoint_api settings_api(const struct settings *settings);

/* The key servers of our site, in the order in which they are to be asked. */
size_t settings_kme_count(const struct settings *settings);
const char *settings_kme_url(const struct settings *settings, size_t place);
struct endpoint *settings_kme_endpoint(const struct settings *settings,
                                       size_t place);                /* borrowed */
struct endpoint *settings_endpoint(const struct settings *settings); /* of the first */

#endif
