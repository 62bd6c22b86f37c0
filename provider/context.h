/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one loaded instance of the provider holds. Made by OSSL_provider_init, freed by teardown,
 * immutable in between but for what locks itself; several may exist in one process.
 */
#ifndef QKD_PROVIDER_CONTEXT_H
#define QKD_PROVIDER_CONTEXT_H

#include <stdatomic.h>
#include <stdint.h>

#include <openssl/core.h>
#include <openssl/crypto.h>

#include "base/log.h"
#include "keys/settings.h"
#include "keys/source.h"
#include "provider/groups.h"
#include "provider/inner.h"
#include "provider/reasons.h"

struct context {
    struct error_sink errors;
    struct inner_library inner; /* a child of the application's library context */
    const char *name;           /* under which we were activated; the core's */
    struct log *log;            /* NULL without QKD_LOG */
    struct settings *settings;
    struct source *source; /* NULL when there is a fault */
    uint16_t code_points[GROUP_COUNT];
    bool absent; /* nothing of ours is configured: nobody asked for QKD */
    /* The first mistake in the configuration; with one, everything is advertised as usual and
     * every use fails with this sentence. OpenSSL ignores a provider that fails to load, and the
     * application would go on without QKD. */
    struct status fault;
    /* Bit i: group i can be offered. Found out at first use, when all providers are loaded. */
    _Atomic uint32_t available;
};

/* NULL only when out of memory, when the core lacks functions that every OpenSSL 3 has, or when it
 * is not of the major that this was built for (which is then on its error queue). */
struct context *context_new(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core);
void context_free(struct context *context);

/* Whether the group is offered to TLS in this process: its inner algorithm is there, and no other
 * provider has its number. Decided at first use. */
bool context_offers(struct context *context, enum group_index index);

/* Raises the failure with the group's name and the peer's before its sentence, and logs it.
 * Returns 0, for use as `return CONTEXT_RAISE(...)` from functions that OpenSSL calls. */
int context_raise(const struct context *context, const struct group *group, enum reason reason,
                  const struct status *status, const char *file, int line, const char *function);

#define CONTEXT_RAISE_AS(context, group, reason, status)                                           \
    context_raise((context), (group), (reason), (status), OPENSSL_FILE, OPENSSL_LINE, OPENSSL_FUNC)

/* With the reason that fits the outcome. */
#define CONTEXT_RAISE(context, group, status)                                                      \
    CONTEXT_RAISE_AS(context, group, reason_of_outcome((status)->outcome), status)

#endif
