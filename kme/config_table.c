/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/config_table.h"

#include <stddef.h>

#include "base/secret.h"
#include "etsi/etsi014.h"
#include "kme/store.h"

#define AT(member) offsetof(struct kme_config, member)
#define NO_RANGE 0, 0, 0

enum { KEY_BITS_MAX = SECRET_MAX_BYTES * 8 };

const char *const config_groups[] = {"etsi014", "admin", "link", "limits", NULL};

const struct setting config_settings[] = {
    {"", "kme_id", SETTING_NAME, AT(kme_id), true, true, NO_RANGE},
    {"", "cert", SETTING_FILE, AT(cert), true, true, NO_RANGE},
    {"", "key", SETTING_FILE, AT(key), true, true, NO_RANGE},
    {"", "ca", SETTING_FILE, AT(ca), true, true, NO_RANGE},
    {"", "log_level", SETTING_WORD, AT(log_level), false, false, NO_RANGE},
    {"", "saes", SETTING_SAES, AT(saes), true, false, NO_RANGE},
    {"etsi014", "listen", SETTING_ADDRESS, AT(etsi014.listen), true, true, NO_RANGE},
    {"admin", "listen", SETTING_LOOPBACK, AT(admin.listen), true, true, NO_RANGE},
    {"link", "peer_kme_id", SETTING_NAME, AT(link.peer_kme_id), true, true, NO_RANGE},
    {"link", "listen", SETTING_ADDRESS, AT(link.listen), true, true, NO_RANGE},
    {"link", "connect", SETTING_ADDRESS, AT(link.connect), true, true, NO_RANGE},
    {"link", "peer_saes", SETTING_PEER_SAES, AT(link.peer_saes), true, false, NO_RANGE},
    {"link", "simulated_rate_bps", SETTING_NUMBER, AT(link.simulated_rate_bps), false, false, 0,
     1000000000, 1000000},
    {"link", "capacity_bits", SETTING_NUMBER, AT(link.capacity_bits), false, true, 2 * KEY_BITS_MAX,
     1073741824, 8388608},
    {"limits", "default_key_bits", SETTING_NUMBER, AT(limits.default_key_bits), false, false, 8,
     KEY_BITS_MAX, 256},
    {"limits", "min_key_bits", SETTING_NUMBER, AT(limits.min_key_bits), false, false, 8,
     KEY_BITS_MAX, 8},
    {"limits", "max_key_bits", SETTING_NUMBER, AT(limits.max_key_bits), false, false, 8,
     KEY_BITS_MAX, KEY_BITS_MAX},
    {"limits", "max_keys_per_request", SETTING_NUMBER, AT(limits.max_keys_per_request), false,
     false, 1, ETSI014_KEYS_MAX, ETSI014_KEYS_MAX},
    {"limits", "key_lifetime_s", SETTING_NUMBER, AT(limits.key_lifetime_s), false, false, 1, 604800,
     3600},
    {"limits", "hold_ms", SETTING_NUMBER, AT(limits.hold_ms), false, false, 0, 60000, 2000},
    {"limits", "max_connections", SETTING_NUMBER, AT(limits.max_connections), false, false, 1,
     100000, 1024},
    {"limits", "idle_timeout_s", SETTING_NUMBER, AT(limits.idle_timeout_s), false, false, 1, 86400,
     120},
};

const size_t config_setting_count = sizeof(config_settings) / sizeof(config_settings[0]);
