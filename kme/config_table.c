/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/config_table.h"

#include <stddef.h>

#include "base/secret.h"
#include "etsi/etsi004.h"
#include "etsi/etsi014.h"
#include "kme/store.h"

#define AT(member) offsetof(struct kme_config, member)
#define IN_LINK(member) offsetof(struct config_link, member)
#define IN_SAE(member) offsetof(struct config_sae, member)
#define NO_RANGE 0, 0, 0

enum { KEY_BITS_MAX = SECRET_MAX_BYTES * 8 };

const char *const config_groups[] = {"etsi014", "etsi004", "admin", "store", "limits", NULL};

const char *const config_optional_groups[] = {"etsi004", "store", NULL};

const struct setting config_settings[] = {
    {"", "kme_id", SETTING_NAME, AT(kme_id), true, true, NO_RANGE},
    {"", "cert", SETTING_FILE, AT(cert), true, false, NO_RANGE},
    {"", "key", SETTING_FILE, AT(key), true, false, NO_RANGE},
    {"", "ca", SETTING_FILE, AT(ca), true, false, NO_RANGE},
    {"", "user", SETTING_WORD, AT(user), false, true, NO_RANGE},
    {"", "log_level", SETTING_WORD, AT(log_level), false, false, NO_RANGE},
    {"", "audit_log", SETTING_FILE, AT(audit_log), false, false, NO_RANGE},
    {"", "saes", SETTING_SAES, AT(saes), true, false, NO_RANGE},
    {"", "misbehave", SETTING_MISBEHAVE, AT(misbehave), false, false, NO_RANGE},
    {"etsi014", "listen", SETTING_ADDRESS, AT(etsi014.listen), true, true, NO_RANGE},
    {"etsi004", "listen", SETTING_ADDRESS, AT(etsi004.listen), true, true, NO_RANGE},
    {"etsi004", "compat", SETTING_WORD, AT(etsi004.compat), false, false, NO_RANGE},
    {"admin", "listen", SETTING_LOOPBACK, AT(admin.listen), true, true, NO_RANGE},
    {"store", "path", SETTING_FILE, AT(store.path), true, true, NO_RANGE},
    {"store", "key_file", SETTING_FILE, AT(store.key_file), false, true, NO_RANGE},
    {"store", "window_bits", SETTING_NUMBER, AT(store.window_bits), false, true, KEY_BITS_MAX,
     268435456, 1048576},
    {"admin", "allow_misbehave", SETTING_FLAG, AT(admin.allow_misbehave), false, false, NO_RANGE},
    {"limits", "default_key_bits", SETTING_NUMBER, AT(limits.default_key_bits), false, false, 8,
     KEY_BITS_MAX, 256},
    {"limits", "min_key_bits", SETTING_NUMBER, AT(limits.min_key_bits), false, false, 8,
     KEY_BITS_MAX, 8},
    {"limits", "max_key_bits", SETTING_NUMBER, AT(limits.max_key_bits), false, false, 8,
     KEY_BITS_MAX, KEY_BITS_MAX},
    {"limits", "max_keys_per_request", SETTING_NUMBER, AT(limits.max_keys_per_request), false,
     false, 1, ETSI014_KEYS_MAX, ETSI014_KEYS_MAX},
    {"limits", "max_additional_saes", SETTING_NUMBER, AT(limits.max_additional_saes), false, false,
     0, ETSI014_ADDITIONAL_SLAVES_MAX, 8},
    {"limits", "key_lifetime_s", SETTING_NUMBER, AT(limits.key_lifetime_s), false, false, 1, 604800,
     3600},
    {"limits", "hold_ms", SETTING_NUMBER, AT(limits.hold_ms), false, false, 0, 60000, 2000},
    {"limits", "max_connections", SETTING_NUMBER, AT(limits.max_connections), false, false, 1,
     100000, 1024},
    {"limits", "idle_timeout_s", SETTING_NUMBER, AT(limits.idle_timeout_s), false, false, 1, 86400,
     120},
    {"limits", "max_streams", SETTING_NUMBER, AT(limits.max_streams), false, false, 1, 65536, 4096},
    {"limits", "max_streams_per_sae", SETTING_NUMBER, AT(limits.max_streams_per_sae), false, false,
     1, 65536, 2048},
    {"limits", "default_chunk_bytes", SETTING_NUMBER, AT(limits.default_chunk_bytes), false, false,
     1, ETSI004_CHUNK_MAX_BYTES, 32},
    {"limits", "max_chunk_bytes", SETTING_NUMBER, AT(limits.max_chunk_bytes), false, false, 1,
     ETSI004_CHUNK_MAX_BYTES, ETSI004_CHUNK_MAX_BYTES},
    {"limits", "default_timeout_ms", SETTING_NUMBER, AT(limits.default_timeout_ms), false, false, 1,
     600000, 5000},
    {"limits", "max_timeout_ms", SETTING_NUMBER, AT(limits.max_timeout_ms), false, false, 1, 600000,
     60000},
    {"limits", "default_ttl_s", SETTING_NUMBER, AT(limits.default_ttl_s), false, false, 1, 604800,
     3600},
    {"limits", "max_ttl_s", SETTING_NUMBER, AT(limits.max_ttl_s), false, false, 1, 604800, 86400},
    {"limits", "max_stream_bps", SETTING_NUMBER, AT(limits.max_stream_bps), false, false, 1,
     1000000000, 1000000000},
    {"limits", "stream_window_chunks", SETTING_NUMBER, AT(limits.stream_window_chunks), false,
     false, 1, 65536, 1024},
};

const size_t config_setting_count = sizeof(config_settings) / sizeof(config_settings[0]);

const struct setting config_sae_settings[] = {
    {"", "id", SETTING_NAME, IN_SAE(id), true, false, NO_RANGE},
    {"", "cn", SETTING_RULE_NAMES, IN_SAE(cns), false, false, NO_RANGE},
    {"", "san_uri", SETTING_RULE_NAMES, IN_SAE(san_uris), false, false, NO_RANGE},
    {"", "san_dns", SETTING_RULE_NAMES, IN_SAE(san_dnss), false, false, NO_RANGE},
    {"", "fingerprint", SETTING_FINGERPRINTS, IN_SAE(fingerprints), false, false, NO_RANGE},
};

const size_t config_sae_setting_count =
    sizeof(config_sae_settings) / sizeof(config_sae_settings[0]);

const struct setting config_link_settings[] = {
    {"", "peer_kme_id", SETTING_NAME, IN_LINK(peer_kme_id), true, true, NO_RANGE},
    {"", "peer_cert_fingerprint", SETTING_FINGERPRINTS, IN_LINK(peer_fingerprints), false, false,
     NO_RANGE},
    {"", "listen", SETTING_ADDRESS, IN_LINK(listen), true, true, NO_RANGE},
    {"", "connect", SETTING_ADDRESS, IN_LINK(connect), true, true, NO_RANGE},
    {"", "peer_saes", SETTING_NAMES, IN_LINK(peer_saes), true, false, NO_RANGE},
    {"", "simulated_rate_bps", SETTING_NUMBER, IN_LINK(simulated_rate_bps), false, false, 0,
     1000000000, 1000000},
    {"", "capacity_bits", SETTING_NUMBER, IN_LINK(capacity_bits), false, true, 2 * KEY_BITS_MAX,
     CONFIG_CAPACITY_MAX_BITS, 8388608},
};

const size_t config_link_setting_count =
    sizeof(config_link_settings) / sizeof(config_link_settings[0]);
