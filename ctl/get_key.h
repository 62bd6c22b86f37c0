/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of "qkdctl get-key": one fetcher for each standard, one writer for all keys. */
#ifndef QKD_CTL_GET_KEY_H
#define QKD_CTL_GET_KEY_H

#include "base/key_id.h"
#include "base/secret.h"
#include "ctl/kme_options.h"

enum { GET_KEY_MAX = ETSI014_KEYS_MAX, GET_KEY_BITS_DEFAULT = 256 };

struct get_key_options {
    struct kme_options kme;
    const char *key_ids; /* as given; NULL = we are the initiator */
    int64_t number;      /* 0 = not given, and so is the size */
    int64_t size_bits;
    int64_t index; /* GET_KEY_NO_INDEX = not given */
    bool show_key;
    bool json;
    struct key_id ids[GET_KEY_MAX];
    size_t id_count;
};

enum { GET_KEY_NO_INDEX = -1 };

struct got_key {
    struct key_id id;
    int64_t index; /* in the stream `id`; GET_KEY_NO_INDEX with ETSI 014 */
    struct secret *key;
};

struct got_keys {
    size_t count;
    struct got_key keys[GET_KEY_MAX]; /* whose secrets are owned */
};

/* Whether the options make sense with this standard; false is a wrong call. */
bool get_key014_check(const struct get_key_options *options, struct status *status);
bool get_key004_check(const struct get_key_options *options, struct status *status);

/* Fetches into an empty *keys; on false there may be some. */
bool get_key014(const struct get_key_options *options, struct kme_session *session,
                struct got_keys *keys, struct status *status);
bool get_key004(const struct get_key_options *options, struct kme_session *session,
                struct got_keys *keys, struct status *status);

/* Writes the keys, or all but the keys, to standard output. */
bool get_key_print(const struct get_key_options *options, const struct got_keys *keys,
                   struct status *status);

#endif
