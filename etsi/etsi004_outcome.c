/* SPDX-License-Identifier: Apache-2.0 */
#include "etsi/etsi004_wire.h"

/* Clause 6.1, Table 2 of V2.1.1. */
static const uint32_t numbers_of_v2_1_1[ETSI004_OUTCOME_COUNT] = {
    [ETSI004_SUCCESS] = 0,
    [ETSI004_PEER_NOT_YET_CONNECTED] = 1,
    [ETSI004_INSUFFICIENT_KEY] = 2,
    [ETSI004_PEER_NOT_CONNECTED] = 3,
    [ETSI004_NO_QKD_CONNECTION] = 4,
    [ETSI004_IN_USE] = 5,
    [ETSI004_TIMEOUT] = 6,
    [ETSI004_QOS_NOT_MET] = 7,
    [ETSI004_METADATA_TOO_SMALL] = 8,
};

static const uint32_t *const numbers[] = {
    [ETSI004_W1] = numbers_of_v2_1_1,
    [ETSI004_W2] = numbers_of_v2_1_1,
};

static const char *const texts[ETSI004_OUTCOME_COUNT] = {
    [ETSI004_SUCCESS] = "success",
    [ETSI004_PEER_NOT_YET_CONNECTED] = "the stream is open, but the peer has not opened it yet",
    [ETSI004_INSUFFICIENT_KEY] = "not enough key material",
    [ETSI004_PEER_NOT_CONNECTED] = "the peer has not opened the stream, or there is no such stream",
    [ETSI004_NO_QKD_CONNECTION] = "no QKD connection is available",
    [ETSI004_IN_USE] = "the key stream ID is in use",
    [ETSI004_TIMEOUT] = "the timeout of the stream has passed",
    [ETSI004_QOS_NOT_MET] = "the quality of service cannot be met",
    [ETSI004_METADATA_TOO_SMALL] = "the room for metadata is too small",
};

const char *etsi004_outcome_text(enum etsi004_outcome outcome)
{
    return (unsigned)outcome < ETSI004_OUTCOME_COUNT ? texts[outcome] : "unknown status";
}

void etsi004_outcome_put(struct buf *buf, enum etsi004_profile profile,
                         enum etsi004_outcome outcome)
{
    if ((unsigned)outcome < ETSI004_OUTCOME_COUNT)
        buf_put_u32(buf, numbers[profile][outcome]);
    else
        buf->failed = true;
}

bool etsi004_outcome_of(enum etsi004_profile profile, uint32_t number,
                        enum etsi004_outcome *outcome)
{
    for (int i = 0; i < ETSI004_OUTCOME_COUNT; i++) {
        if (numbers[profile][i] == number) {
            *outcome = (enum etsi004_outcome)i;
            return true;
        }
    }
    return false;
}
