/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for oqsprovider, which no distribution we build on has: its names, default code points
 * and lengths, and its manners (import wants "pub" of the exact length, generation ignores the
 * selection). SIMULATED: behind every name is X25519, filled up to the lengths of the real thing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* Name, default code point of the releases from 0.9 on (0: the release with this name had another),
 * octets of public key, ciphertext and secret. */
#define ALGORITHMS(X)                                                                              \
    X(frodo640aes, 0xFE23, 9616, 9752, 16)                                                         \
    X(frodo640shake, 0xFE26, 9616, 9752, 16)                                                       \
    X(frodo976aes, 0xFE29, 15632, 15792, 24)                                                       \
    X(frodo976shake, 0xFE2C, 15632, 15792, 24)                                                     \
    X(frodo1344aes, 0xFE2F, 21520, 21696, 32)                                                      \
    X(frodo1344shake, 0xFE31, 21520, 21696, 32)                                                    \
    X(efrodo640aes, 0xFE00, 9616, 9720, 16)                                                        \
    X(efrodo640shake, 0xFE03, 9616, 9720, 16)                                                      \
    X(efrodo976aes, 0xFE06, 15632, 15744, 24)                                                      \
    X(efrodo976shake, 0xFE09, 15632, 15744, 24)                                                    \
    X(efrodo1344aes, 0xFE0C, 21520, 21632, 32)                                                     \
    X(efrodo1344shake, 0xFE0E, 21520, 21632, 32)                                                   \
    X(kyber512, 0x023A, 800, 768, 32)                                                              \
    X(kyber768, 0x023C, 1184, 1088, 32)                                                            \
    X(kyber1024, 0x023D, 1568, 1568, 32)                                                           \
    X(bikel1, 0xFE10, 1541, 1573, 32)                                                              \
    X(bikel3, 0xFE13, 3083, 3115, 32)                                                              \
    X(bikel5, 0xFE16, 5122, 5154, 32)                                                              \
    X(hqc1, 0xFE18, 2241, 4433, 32)                                                                \
    X(hqc192, 0, 4522, 8978, 64)                                                                   \
    X(hqc5, 0xFE1E, 7237, 14421, 32)

struct algorithm {
    const char *name;
    unsigned code_point;
    size_t public_bytes, ciphertext_bytes, secret_bytes;
};

#define INDEX(name, number, public, ciphertext, secret) ALGORITHM_##name,
enum { ALGORITHMS(INDEX) ALGORITHM_COUNT };

#define ROW(name, number, public, ciphertext, secret) {#name, number, public, ciphertext, secret},
static const struct algorithm algorithms[ALGORITHM_COUNT] = {ALGORITHMS(ROW)};

/* Hybrids of the same releases have the numbers behind those of their KEMs. */
static const struct {
    const char *name;
    unsigned code_point;
} hybrids[] = {
    {"p256_efrodo640aes", 0xFE01},   {"x25519_efrodo640aes", 0xFE02},
    {"p256_efrodo640shake", 0xFE04}, {"x25519_efrodo640shake", 0xFE05},
    {"p256_bikel1", 0xFE11},         {"x25519_bikel1", 0xFE12},
    {"p256_hqc1", 0xFE19},           {"x25519_hqc1", 0xFE1A},
};

enum { X25519_BYTES = 32, FILLER = 0xA5 };

struct key {
    OSSL_LIB_CTX *library; /* borrowed: the provider's context */
    const struct algorithm *algorithm;
    EVP_PKEY *x25519; /* NULL when empty */
};

static void fill_up(uint8_t *octets, size_t length)
{
    memset(octets + X25519_BYTES, FILLER, length - X25519_BYTES);
}

static bool is_filled_up(const uint8_t *octets, size_t length)
{
    for (size_t i = X25519_BYTES; i < length; i++)
        if (octets[i] != FILLER)
            return false;
    return true;
}

static bool public_octets(EVP_PKEY *x25519, uint8_t *octets, size_t length)
{
    size_t got_bytes = X25519_BYTES;

    fill_up(octets, length);
    return EVP_PKEY_get_raw_public_key(x25519, octets, &got_bytes) == 1 &&
           got_bytes == X25519_BYTES;
}

static struct key *key_new(void *library, int index)
{
    struct key *key = OPENSSL_zalloc(sizeof(*key));

    if (key != NULL) {
        key->library = library;
        key->algorithm = &algorithms[index];
    }
    return key;
}

static void key_free(void *vkey)
{
    struct key *key = vkey;

    if (key != NULL)
        EVP_PKEY_free(key->x25519);
    OPENSSL_free(key);
}

static int key_has(const void *vkey, int selection)
{
    (void)selection;
    return ((const struct key *)vkey)->x25519 != NULL;
}

static int key_set_public(struct key *key, const OSSL_PARAM *param)
{
    const void *octets;
    size_t length;

    if (param == NULL)
        return 1;
    if (!OSSL_PARAM_get_octet_string_ptr(param, &octets, &length) ||
        length != key->algorithm->public_bytes || !is_filled_up(octets, length))
        return 0;
    EVP_PKEY_free(key->x25519);
    key->x25519 =
        EVP_PKEY_new_raw_public_key_ex(key->library, "X25519", NULL, octets, X25519_BYTES);
    return key->x25519 != NULL;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
    const OSSL_PARAM *public = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);

    (void)selection;
    return public != NULL && key_set_public(key, public);
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_END};

    (void)selection;
    return types;
}

static int set_number(OSSL_PARAM *params, const char *name, size_t value)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);

    return param == NULL || OSSL_PARAM_set_int(param, (int)value);
}

static int key_get_params(void *vkey, OSSL_PARAM params[])
{
    const struct key *key = vkey;
    const struct algorithm *algorithm = key->algorithm;
    OSSL_PARAM *public = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);

    if (!set_number(params, OSSL_PKEY_PARAM_BITS, 128) ||
        !set_number(params, OSSL_PKEY_PARAM_SECURITY_BITS, 128) ||
        !set_number(params, OSSL_PKEY_PARAM_MAX_SIZE, algorithm->ciphertext_bytes))
        return 0;
    if (public == NULL)
        return 1;
    public->return_size = algorithm->public_bytes;
    return public->data == NULL ||
           (public->data_size >= algorithm->public_bytes && key->x25519 != NULL &&
            public_octets(key->x25519, public->data, algorithm->public_bytes));
}

static const OSSL_PARAM *key_gettable(void *context)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0), OSSL_PARAM_END};

    (void)context;
    return gettable;
}

static int key_set_params(void *key, const OSSL_PARAM params[])
{
    return key_set_public(key, OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY));
}

static const OSSL_PARAM *key_settable(void *context)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0), OSSL_PARAM_END};

    (void)context;
    return settable;
}

/* What is generated is the key itself; the generation context is an empty one. */
static void *key_gen(void *vempty, OSSL_CALLBACK *callback, void *argument)
{
    const struct key *empty = vempty;
    struct key *key = key_new(empty->library, (int)(empty->algorithm - algorithms));

    (void)callback;
    (void)argument;
    if (key == NULL)
        return NULL;
    key->x25519 = EVP_PKEY_Q_keygen(key->library, NULL, "X25519");
    if (key->x25519 != NULL)
        return key;
    key_free(key);
    return NULL;
}

/* One pair of functions for each name: the core says nowhere else which one it means. */
#define KEYMGMT(name, number, public, ciphertext, secret)                                          \
    static void *new_##name(void *library)                                                         \
    {                                                                                              \
        return key_new(library, ALGORITHM_##name);                                                 \
    }                                                                                              \
    static void *gen_init_##name(void *library, int selection, const OSSL_PARAM params[])          \
    {                                                                                              \
        (void)selection;                                                                           \
        (void)params;                                                                              \
        return key_new(library, ALGORITHM_##name);                                                 \
    }                                                                                              \
    static const OSSL_DISPATCH keymgmt_##name[] = {                                                \
        {OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))new_##name},                                       \
        {OSSL_FUNC_KEYMGMT_GEN_INIT, (void (*)(void))gen_init_##name},                             \
        {OSSL_FUNC_KEYMGMT_GEN, (void (*)(void))key_gen},                                          \
        {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (void (*)(void))key_free},                                 \
        {OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))key_free},                                        \
        {OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))key_has},                                          \
        {OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))key_import},                                    \
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))key_import_types},                        \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))key_get_params},                            \
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (void (*)(void))key_gettable},                         \
        {OSSL_FUNC_KEYMGMT_SET_PARAMS, (void (*)(void))key_set_params},                            \
        {OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, (void (*)(void))key_settable},                         \
        {0, NULL},                                                                                 \
    };
ALGORITHMS(KEYMGMT)

struct operation {
    struct key *key; /* borrowed from EVP, which holds it for the operation */
};

static void *kem_new(void *library)
{
    (void)library;
    return OPENSSL_zalloc(sizeof(struct operation));
}

static void kem_free(void *operation)
{
    OPENSSL_free(operation);
}

static int kem_init(void *operation, void *key, const OSSL_PARAM params[])
{
    (void)params;
    ((struct operation *)operation)->key = key;
    return 1;
}

/* The secret of X25519, stretched to the wanted length. */
static bool agree(const struct key *key, EVP_PKEY *own, EVP_PKEY *peer, uint8_t *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(key->library, own, NULL);
    EVP_MD *shake = EVP_MD_fetch(key->library, "SHAKE256", NULL);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint8_t shared[X25519_BYTES];
    size_t shared_bytes = sizeof(shared);
    bool ok = ctx != NULL && shake != NULL && digest != NULL && EVP_PKEY_derive_init(ctx) > 0 &&
              EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
              EVP_PKEY_derive(ctx, shared, &shared_bytes) > 0 &&
              EVP_DigestInit_ex2(digest, shake, NULL) > 0 &&
              EVP_DigestUpdate(digest, shared, shared_bytes) > 0 &&
              EVP_DigestFinalXOF(digest, secret, key->algorithm->secret_bytes) > 0;

    OPENSSL_cleanse(shared, sizeof(shared));
    EVP_MD_CTX_free(digest);
    EVP_MD_free(shake);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int kem_encapsulate(void *operation, unsigned char *out, size_t *out_bytes,
                           unsigned char *secret, size_t *secret_bytes)
{
    const struct key *key = ((struct operation *)operation)->key;
    const struct algorithm *algorithm = key->algorithm;
    EVP_PKEY *own;
    bool ok;

    if (out != NULL && (*out_bytes < algorithm->ciphertext_bytes ||
                        *secret_bytes < algorithm->secret_bytes || key->x25519 == NULL))
        return 0;
    *out_bytes = algorithm->ciphertext_bytes;
    *secret_bytes = algorithm->secret_bytes;
    if (out == NULL)
        return 1;
    own = EVP_PKEY_Q_keygen(key->library, NULL, "X25519");
    ok = own != NULL && agree(key, own, key->x25519, secret) &&
         public_octets(own, out, algorithm->ciphertext_bytes);
    EVP_PKEY_free(own);
    return ok;
}

static int kem_decapsulate(void *operation, unsigned char *secret, size_t *secret_bytes,
                           const unsigned char *in, size_t in_bytes)
{
    const struct key *key = ((struct operation *)operation)->key;
    const struct algorithm *algorithm = key->algorithm;
    EVP_PKEY *peer;
    bool ok;

    if (secret != NULL && (*secret_bytes < algorithm->secret_bytes || key->x25519 == NULL ||
                           in_bytes != algorithm->ciphertext_bytes || !is_filled_up(in, in_bytes)))
        return 0;
    *secret_bytes = algorithm->secret_bytes;
    if (secret == NULL)
        return 1;
    peer = EVP_PKEY_new_raw_public_key_ex(key->library, "X25519", NULL, in, X25519_BYTES);
    ok = peer != NULL && agree(key, key->x25519, peer, secret);
    EVP_PKEY_free(peer);
    return ok;
}

static const OSSL_DISPATCH kem_functions[] = {
    {OSSL_FUNC_KEM_NEWCTX, (void (*)(void))kem_new},
    {OSSL_FUNC_KEM_FREECTX, (void (*)(void))kem_free},
    {OSSL_FUNC_KEM_ENCAPSULATE_INIT, (void (*)(void))kem_init},
    {OSSL_FUNC_KEM_ENCAPSULATE, (void (*)(void))kem_encapsulate},
    {OSSL_FUNC_KEM_DECAPSULATE_INIT, (void (*)(void))kem_init},
    {OSSL_FUNC_KEM_DECAPSULATE, (void (*)(void))kem_decapsulate},
    {0, NULL},
};

#define KEYMGMT_ROW(name, number, public, ciphertext, secret)                                      \
    {#name, "provider=oqsprovider", keymgmt_##name, NULL},
static const OSSL_ALGORITHM keymgmts[] = {ALGORITHMS(KEYMGMT_ROW){NULL, NULL, NULL, NULL}};

#define KEM_ROW(name, number, public, ciphertext, secret)                                          \
    {#name, "provider=oqsprovider", kem_functions, NULL},
static const OSSL_ALGORITHM kems[] = {ALGORITHMS(KEM_ROW){NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    (void)context;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keymgmts : operation == OSSL_OP_KEM ? kems : NULL;
}

static int offer(const char *group, const char *keymgmt, unsigned number, OSSL_CALLBACK *callback,
                 void *argument)
{
    char *name = (char *)(uintptr_t)group, *algorithm = (char *)(uintptr_t)keymgmt;
    unsigned bits = 128, is_kem = 1;
    int tls13 = 0x0304, any = 0, never = -1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_ALG, algorithm, 0),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &number),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &bits),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &tls13),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &any),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &never),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &never),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_IS_KEM, &is_kem),
        OSSL_PARAM_construct_end(),
    };

    return callback(params, argument);
}

static int capabilities(void *context, const char *capability, OSSL_CALLBACK *callback,
                        void *argument)
{
    (void)context;
    if (OPENSSL_strcasecmp(capability, "TLS-GROUP") != 0)
        return 1;
    for (int i = 0; i < ALGORITHM_COUNT; i++)
        if (algorithms[i].code_point != 0 && !offer(algorithms[i].name, algorithms[i].name,
                                                    algorithms[i].code_point, callback, argument))
            return 0;
    for (size_t i = 0; i < sizeof(hybrids) / sizeof(hybrids[0]); i++)
        if (!offer(hybrids[i].name, algorithms[0].name, hybrids[i].code_point, callback, argument))
            return 0;
    return 1;
}

static void teardown(void *library)
{
    OSSL_LIB_CTX_free(library);
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
    {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown},
    {0, NULL},
};

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
                       const OSSL_DISPATCH **table, void **context)
{
    (void)handle;
    (void)core;
    *table = functions;
    *context = OSSL_LIB_CTX_new();
    return *context != NULL;
}
