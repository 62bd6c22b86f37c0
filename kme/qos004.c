/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/qos004.h"

#include <string.h>
#include <strings.h>

static const char json_type[] = "application/json";

/* What is asked for within 1 to most; our choice where it is 0. */
static uint32_t choose(uint32_t asked, int64_t fallback, int64_t most)
{
    if (asked == 0)
        return (uint32_t)fallback;
    return asked > most ? (uint32_t)most : asked;
}

bool qos004_grant(const struct kme_config *config, const struct etsi004_qos *asked,
                  int64_t free_bps, struct etsi004_qos *granted)
{
    int64_t max_chunk = config->limits.max_chunk_bytes;
    bool chunk_fits = asked->key_chunk_size_bytes <= max_chunk;
    bool min_fits = asked->min_bps <= free_bps;
    bool type_fits =
        asked->metadata_mimetype[0] == '\0' || strcasecmp(asked->metadata_mimetype, json_type) == 0;

    *granted = *asked;
    granted->key_chunk_size_bytes =
        choose(asked->key_chunk_size_bytes, config->limits.default_chunk_bytes, max_chunk);
    granted->max_bps =
        choose(asked->max_bps, config->limits.max_stream_bps, config->limits.max_stream_bps);
    if (!min_fits)
        granted->min_bps = free_bps > 0 ? (uint32_t)free_bps : 0;
    if (granted->max_bps < granted->min_bps)
        granted->max_bps = granted->min_bps;
    granted->timeout_ms =
        choose(asked->timeout_ms, config->limits.default_timeout_ms, config->limits.max_timeout_ms);
    granted->ttl_s = choose(asked->ttl_s, config->limits.default_ttl_s, config->limits.max_ttl_s);
    if (!type_fits) {
        memset(granted->metadata_mimetype, 0, sizeof(granted->metadata_mimetype));
        memcpy(granted->metadata_mimetype, json_type, sizeof(json_type));
    }
    return chunk_fits && min_fits && type_fits;
}
