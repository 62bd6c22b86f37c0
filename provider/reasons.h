/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a call into the provider failed, as OpenSSL's error queue shows it: a reason with fixed
 * text and a sentence with the particulars.
 */
#ifndef QKD_PROVIDER_REASONS_H
#define QKD_PROVIDER_REASONS_H

#include <stdarg.h>
#include <stdint.h>

#include <openssl/core.h>

#include "base/status.h"

/* Below 100: nginx takes higher numbers for those of libssl, whichever library raised them. */
enum reason {
    REASON_NONE = 0,
    REASON_SETTING,
    REASON_KME,
    REASON_KME_TIMEOUT,
    REASON_KME_EXHAUSTED,
    REASON_PEER_SHARE,
    REASON_PEER_KEY_ID,
    REASON_INNER_ALGORITHM,
    REASON_BUFFER_TOO_SMALL,
    REASON_KEY_USE,
    REASON_PRIVATE_EXPORT,
    REASON_INTERNAL,
    REASON_LIMIT,
    REASON_COUNT
};

/* {code, text} rows ended by code 0, for OSSL_FUNC_PROVIDER_GET_REASON_STRINGS. */
extern const OSSL_ITEM reason_strings[REASON_COUNT];

/* The functions of the core that raise errors, and for whom. */
struct error_sink {
    const OSSL_CORE_HANDLE *handle;
    void (*new_error)(const OSSL_CORE_HANDLE *handle);
    void (*set_error_debug)(const OSSL_CORE_HANDLE *handle, const char *file, int line,
                            const char *function);
    void (*vset_error)(const OSSL_CORE_HANDLE *handle, uint32_t reason, const char *format,
                       va_list args);
};

/* `reason` is one of ours, or one of OpenSSL's packed with its library (ERR_PACK). */
void reason_raise(const struct error_sink *sink, const char *file, int line, const char *function,
                  uint32_t reason, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The reason that fits the outcome of the key layer. */
enum reason reason_of_outcome(enum outcome outcome);

#define RAISE(sink, reason, ...)                                                                   \
    reason_raise((sink), OPENSSL_FILE, OPENSSL_LINE, OPENSSL_FUNC, (reason), __VA_ARGS__)

#endif
