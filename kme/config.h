/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file of qkd-kme (libconfig syntax). Read whole and checked whole: a value
 * that is wrong, missing or unknown refuses the file, and the sentence names file, line and key.
 * Immutable once loaded.
 */
#ifndef QKD_KME_CONFIG_H
#define QKD_KME_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "kme/address.h"
#include "kme/identity.h"
#include "kme/misbehave_rule.h"

enum {
    CONFIG_NAMES_MAX = 1024, /* SAEs of one list */
    CONFIG_RULES_MAX = 16,   /* of one kind, for one SAE */
    CONFIG_LINKS_MAX = 64,
    CONFIG_CAPACITY_MAX_BITS = 1073741824 /* of the store of a link */
};

struct config_misbehave {
    struct misbehave_rule *items;
    size_t count;
};

struct config_names {
    char **items;
    size_t count;
};

struct config_fingerprints {
    struct config_fingerprint {
        uint8_t octets[IDENTITY_FINGERPRINT_BYTES]; /* SHA-256 of a certificate */
    } * items;
    size_t count;
};

/* One rule that fits is enough. */
struct config_sae {
    char *id;
    struct config_names cns; /* the ID where the file has no rule at all */
    struct config_names san_uris, san_dnss;
    struct config_fingerprints fingerprints;
};

struct config_saes {
    struct config_sae *items;
    size_t count;
};

struct config_link {
    char *peer_kme_id; /* what a link is known by: a reload may move it to another index */
    struct address listen, connect;
    struct config_names peer_saes;
    struct config_fingerprints peer_fingerprints; /* none: its CN is peer_kme_id */
    int64_t simulated_rate_bps;
    int64_t capacity_bits;
};

/* Names are NUL-terminated, 1 to ETSI014_ID_MAX_CHARS octets. Everything is owned. */
struct kme_config {
    char *kme_id;
    char *cert, *key, *ca; /* paths, made absolute or relative to the folder of the file */
    char *log_level;
    char *user;      /* the account to run as; "" where the file does not say */
    char *audit_log; /* a path; NULL: none */
    struct {
        struct address listen;
    } etsi014;
    struct {
        struct address listen;
        bool allow_misbehave; /* rules of misbehaviour may be set at run time */
    } admin;
    struct {
        struct address listen; /* an empty text: no ETSI 004 here */
        char *compat;          /* "strict" or "qubip" */
    } etsi004;
    struct {
        char *path;          /* NULL: key material is held in memory only */
        char *key_file;      /* NULL: the file is not sealed */
        int64_t window_bits; /* that each link keeps open; 0 without a path */
    } store;
    struct config_saes saes; /* of this site */
    struct {
        struct config_link *items;
        size_t count;
    } links;
    struct config_misbehave misbehave;
    struct {
        int64_t default_key_bits, min_key_bits, max_key_bits;
        int64_t max_keys_per_request;
        int64_t max_additional_saes; /* 0: no multicast */
        int64_t key_lifetime_s;
        int64_t hold_ms;
        int64_t max_connections;
        int64_t idle_timeout_s;
        int64_t max_streams, max_streams_per_sae; /* from here on: ETSI 004 */
        int64_t default_chunk_bytes, max_chunk_bytes;
        int64_t default_timeout_ms, max_timeout_ms;
        int64_t default_ttl_s, max_ttl_s;
        int64_t max_stream_bps;
        int64_t stream_window_chunks;
    } limits;
};

/* NULL and *status (OUTCOME_CONFIG) when the file is refused. */
struct kme_config *kme_config_load(const char *path, struct status *status);
void kme_config_free(struct kme_config *config);

/* For a reload: what takes effect at a start only is taken over from `running`, and named in the
 * log where the new file says otherwise. False when out of memory. */
bool kme_config_keep_fixed(struct kme_config *config, const struct kme_config *running,
                           const struct log *log);

/* Whether this key server speaks ETSI 004 to its SAEs. */
bool kme_config_has_004(const struct kme_config *config);

/* NULL if there is no SAE of this ID at this site. */
const struct config_sae *kme_config_sae(const struct kme_config *config, const char *id);

/* The link to a peer key server; NULL if there is none. There is one for as long as the process
 * runs: links come and go at a start only. Valid until a reload. */
const struct config_link *kme_config_link(const struct kme_config *config, const char *peer_kme_id);

/* The link that the SAE is behind; NULL if it is behind none. */
const struct config_link *kme_config_link_of_sae(const struct kme_config *config, const char *id);

#endif
