/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/reasons.h"

#define TEXT(text) (void *)(uintptr_t)(text)

const OSSL_ITEM reason_strings[REASON_COUNT] = {
    {REASON_SETTING, TEXT("wrong setting in the provider's section")},
    {REASON_KME, TEXT("the key server gave no key")},
    {REASON_KME_TIMEOUT, TEXT("the key server did not answer in time")},
    {REASON_KME_EXHAUSTED, TEXT("the key server has no key material")},
    {REASON_PEER_SHARE, TEXT("the peer's key share is malformed")},
    {REASON_PEER_KEY_ID, TEXT("the peer's key ID is not acceptable")},
    {REASON_INNER_ALGORITHM, TEXT("the inner algorithm failed")},
    {REASON_BUFFER_TOO_SMALL, TEXT("buffer too small")},
    {REASON_KEY_USE, TEXT("the key cannot be used like this")},
    {REASON_PRIVATE_EXPORT, TEXT("private keys are not exported")},
    {REASON_INTERNAL, TEXT("out of memory, or a defect of the provider")},
    {REASON_LIMIT, TEXT("keys are asked for faster than this end allows")},
    {REASON_NONE, NULL},
};

static const enum reason reasons_of_outcomes[OUTCOME_COUNT] = {
    [OUTCOME_OK] = REASON_INTERNAL,
    [OUTCOME_CONFIG] = REASON_SETTING,
    [OUTCOME_INPUT] = REASON_KEY_USE,
    [OUTCOME_PEER] = REASON_PEER_KEY_ID,
    [OUTCOME_KME] = REASON_KME,
    [OUTCOME_TIMEOUT] = REASON_KME_TIMEOUT,
    [OUTCOME_EXHAUSTED] = REASON_KME_EXHAUSTED,
    [OUTCOME_LIMIT] = REASON_LIMIT,
    [OUTCOME_INTERNAL] = REASON_INTERNAL,
};

enum reason reason_of_outcome(enum outcome outcome)
{
    return reasons_of_outcomes[outcome];
}

void reason_raise(const struct error_sink *sink, const char *file, int line, const char *function,
                  uint32_t reason, const char *format, ...)
{
    va_list args;

    sink->new_error(sink->handle);
    sink->set_error_debug(sink->handle, file, line, function);
    va_start(args, format);
    sink->vset_error(sink->handle, reason, format, args);
    va_end(args);
}
