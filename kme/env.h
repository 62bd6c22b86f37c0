/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every part of the key server borrows. main.c owns it and is the only writer; a reload
 * replaces `config`, `log` and `tls`, so nobody keeps a copy of these pointers across a callback.
 */
#ifndef QKD_KME_ENV_H
#define QKD_KME_ENV_H

#include <openssl/types.h>

#include "base/log.h"

struct event_base;
struct journal;
struct kme_config;
struct metrics;
struct misbehave;
struct shelf;
struct sockets;
struct tls_set;

struct env {
    struct event_base *base;
    OSSL_LIB_CTX *libctx; /* with the default provider only */
    struct log *log;
    const struct kme_config *config;
    const struct tls_set *tls;
    struct metrics *metrics;
    struct sockets *sockets;
    struct journal *journal;
    struct misbehave *misbehave; /* NULL: no misbehaviour on command */
    struct shelf *shelf;         /* NULL: key material is held in memory only */
};

#endif
