/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/exchange.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "base/key_id.h"
#include "provider/keymgmt.h"
#include "tests/fault/fault.h"

extern OSSL_provider_init_fn OSSL_provider_init;

/* The program's own calls of functions that are wrapped. */
EVP_PKEY_CTX *__real_EVP_PKEY_CTX_new_from_name(OSSL_LIB_CTX *library, const char *name,
                                                const char *query);
EVP_PKEY_CTX *__real_EVP_PKEY_CTX_new_from_pkey(OSSL_LIB_CTX *library, EVP_PKEY *key,
                                                const char *query);
int __real_EVP_PKEY_generate(EVP_PKEY_CTX *ctx, EVP_PKEY **key);
int __real_EVP_PKEY_encapsulate(EVP_PKEY_CTX *ctx, unsigned char *wrapped, size_t *wrapped_length,
                                unsigned char *secret, size_t *secret_length);
int __real_EVP_PKEY_decapsulate(EVP_PKEY_CTX *ctx, unsigned char *secret, size_t *secret_length,
                                const unsigned char *wrapped, size_t wrapped_length);
size_t __real_EVP_PKEY_get1_encoded_public_key(EVP_PKEY *key, unsigned char **octets);
OSSL_LIB_CTX *__real_OSSL_LIB_CTX_new(void);

enum { SHARE_MAX_BYTES = 2048, SECRET_MAX_BYTES = 256, UNTOUCHED = 0xa5 };

struct ends {
    OSSL_LIB_CTX *client, *server;
    const char *group;
    EVP_PKEY *own, *peer;
    unsigned char *share;
    size_t share_length;
    unsigned char answer[SHARE_MAX_BYTES], secrets[2][SECRET_MAX_BYTES];
    size_t answer_length, secret_lengths[2];
};

OSSL_LIB_CTX *exchange_open(const char *conf)
{
    OSSL_LIB_CTX *library = __real_OSSL_LIB_CTX_new();

    if (library != NULL && OSSL_PROVIDER_add_builtin(library, "qkd", OSSL_provider_init) == 1 &&
        OSSL_LIB_CTX_load_config(library, conf) == 1 &&
        OSSL_PROVIDER_available(library, "qkd") == 1)
        return library;
    OSSL_LIB_CTX_free(library);
    return NULL;
}

static bool generate(struct ends *ends)
{
    EVP_PKEY_CTX *ctx = __real_EVP_PKEY_CTX_new_from_name(ends->client, ends->group, NULL);
    bool ok = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
              __real_EVP_PKEY_generate(ctx, &ends->own) == 1;

    EVP_PKEY_CTX_free(ctx);
    if (ok)
        ends->share_length = __real_EVP_PKEY_get1_encoded_public_key(ends->own, &ends->share);
    return ok && ends->share_length > 0;
}

static bool set_share(struct ends *ends)
{
    EVP_PKEY_CTX *ctx = __real_EVP_PKEY_CTX_new_from_name(ends->server, ends->group, NULL);
    bool ok = ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 &&
              EVP_PKEY_paramgen(ctx, &ends->peer) == 1 &&
              EVP_PKEY_set1_encoded_public_key(ends->peer, ends->share, ends->share_length) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool encapsulate(struct ends *ends)
{
    EVP_PKEY_CTX *ctx = __real_EVP_PKEY_CTX_new_from_pkey(ends->server, ends->peer, NULL);
    bool ok = ctx != NULL && EVP_PKEY_encapsulate_init(ctx, NULL) == 1 &&
              __real_EVP_PKEY_encapsulate(ctx, NULL, &ends->answer_length, NULL,
                                          &ends->secret_lengths[0]) == 1 &&
              __real_EVP_PKEY_encapsulate(ctx, ends->answer, &ends->answer_length, ends->secrets[0],
                                          &ends->secret_lengths[0]) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool decapsulate(struct ends *ends)
{
    EVP_PKEY_CTX *ctx = __real_EVP_PKEY_CTX_new_from_pkey(ends->client, ends->own, NULL);
    bool ok = ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
              __real_EVP_PKEY_decapsulate(ctx, NULL, &ends->secret_lengths[1], ends->answer,
                                          ends->answer_length) == 1 &&
              __real_EVP_PKEY_decapsulate(ctx, ends->secrets[1], &ends->secret_lengths[1],
                                          ends->answer, ends->answer_length) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static const struct {
    const char *name;
    bool (*run)(struct ends *);
} steps[] = {
    {"generate", generate},
    {"set share", set_share},
    {"encapsulate", encapsulate},
    {"decapsulate", decapsulate},
};

/* Never partly written: a buffer of a call that failed is as it was, or all zero. */
static bool is_clean(const unsigned char *octets, size_t written, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (octets[i] != (i < written ? octets[0] : UNTOUCHED))
            return false;
    return octets[0] == 0 || octets[0] == UNTOUCHED;
}

static void wrong(struct exchange_result *result, const char *what)
{
    result->end = EXCHANGE_WRONG;
    snprintf(result->text, sizeof(result->text), "%s", what);
}

/* By the place it was raised: the names of the reasons are lost in a process that has loaded a
 * provider more often than OpenSSL has numbers for libraries. */
static void read_queue(struct exchange_result *result)
{
    const char *file = NULL, *data = NULL;
    unsigned long error = ERR_get_error_all(&file, NULL, NULL, &data, NULL);

    result->reason = ERR_GET_REASON(error);
    snprintf(result->text, sizeof(result->text), "%s", data != NULL ? data : "");
    if (file == NULL || strstr(file, "provider/") == NULL || result->text[0] == '\0')
        wrong(result, "it failed without a reason of ours");
    ERR_clear_error();
}

static bool names_key(EVP_PKEY *key, char text[static KEY_ID_TEXT_CHARS + 1])
{
    return EVP_PKEY_get_utf8_string_param(key, KEYMGMT_PARAM_KEY_ID, text, KEY_ID_TEXT_CHARS + 1,
                                          NULL) == 1;
}

/* A key object names the QKD key that it was used with, and none before. */
static bool names_are_right(const struct ends *ends, size_t steps_done)
{
    char own[KEY_ID_TEXT_CHARS + 1], peer[KEY_ID_TEXT_CHARS + 1];
    bool owns = ends->own != NULL && names_key(ends->own, own);
    bool peers = ends->peer != NULL && names_key(ends->peer, peer);

    return owns == (steps_done > 3) && peers == (steps_done > 2) &&
           (!owns || strcmp(own, peer) == 0);
}

static void judge_failure(const struct ends *ends, size_t step, struct exchange_result *result)
{
    size_t secret_bytes = ends->secret_lengths[step == 2 ? 0 : 1];

    result->end = EXCHANGE_FAILED;
    result->step = steps[step].name;
    read_queue(result);
    if (step == 2 && (!is_clean(ends->answer, ends->answer_length, sizeof(ends->answer)) ||
                      !is_clean(ends->secrets[0], secret_bytes, SECRET_MAX_BYTES)))
        wrong(result, "encapsulate left something in its outputs");
    if (step == 3 && !is_clean(ends->secrets[1], secret_bytes, SECRET_MAX_BYTES))
        wrong(result, "decapsulate left something in its output");
    if (!names_are_right(ends, step))
        wrong(result, "a key names a QKD key that it was not used with");
}

static void judge_success(const struct ends *ends, struct exchange_result *result)
{
    result->end = EXCHANGE_DONE;
    if (ERR_peek_error() != 0)
        wrong(result, "a success left something on the error queue");
    if (ends->secret_lengths[0] != ends->secret_lengths[1] ||
        memcmp(ends->secrets[0], ends->secrets[1], ends->secret_lengths[0]) != 0)
        wrong(result, "the ends hold different secrets");
    if (!names_are_right(ends, sizeof(steps) / sizeof(steps[0])))
        wrong(result, "the ends do not name the same QKD key");
    ERR_clear_error();
}

void exchange(OSSL_LIB_CTX *client, OSSL_LIB_CTX *server, const char *group,
              struct exchange_result *result)
{
    struct ends ends = {.client = client, .server = server, .group = group};
    size_t step = 0;

    memset(result, 0, sizeof(*result));
    memset(ends.answer, UNTOUCHED, sizeof(ends.answer));
    memset(ends.secrets, UNTOUCHED, sizeof(ends.secrets));
    ERR_clear_error();
    while (step < sizeof(steps) / sizeof(steps[0]) && steps[step].run(&ends))
        step++;
    if (step < sizeof(steps) / sizeof(steps[0]))
        judge_failure(&ends, step, result);
    else
        judge_success(&ends, result);
    EVP_PKEY_free(ends.own);
    EVP_PKEY_free(ends.peer);
    OPENSSL_free(ends.share);
    OPENSSL_cleanse(&ends, sizeof(ends));
}
