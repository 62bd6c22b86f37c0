/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups: one row each of a const table. A new group is a line in QKD_GROUPS and a row.
 */
#ifndef QKD_PROVIDER_GROUPS_H
#define QKD_PROVIDER_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every group, by the part of its name behind "qkd_". */
#define QKD_GROUPS(X)                                                                              \
    X(mlkem512)                                                                                    \
    X(mlkem768)                                                                                    \
    X(mlkem1024)                                                                                   \
    X(x25519mlkem768)                                                                              \
    X(secp256r1mlkem768)                                                                           \
    X(secp384r1mlkem1024)                                                                          \
    X(x25519)                                                                                      \
    X(secp256r1)                                                                                   \
    X(secp384r1)                                                                                   \
    X(efrodo640aes)                                                                                \
    X(efrodo640shake)                                                                              \
    X(efrodo976aes)                                                                                \
    X(efrodo976shake)                                                                              \
    X(efrodo1344aes)                                                                               \
    X(efrodo1344shake)                                                                             \
    X(frodo640aes)                                                                                 \
    X(frodo640shake)                                                                               \
    X(frodo976aes)                                                                                 \
    X(frodo976shake)                                                                               \
    X(frodo1344aes)                                                                                \
    X(frodo1344shake)                                                                              \
    X(kyber512)                                                                                    \
    X(kyber768)                                                                                    \
    X(kyber1024)                                                                                   \
    X(bikel1)                                                                                      \
    X(bikel3)                                                                                      \
    X(bikel5)                                                                                      \
    X(hqc128)                                                                                      \
    X(hqc192)                                                                                      \
    X(hqc256)

#define GROUP_INDEX(name) GROUP_##name,
enum group_index { QKD_GROUPS(GROUP_INDEX) GROUP_COUNT };
#undef GROUP_INDEX

enum inner_kind {
    INNER_KEM, /* encapsulate and decapsulate of the inner algorithm */
    INNER_ECDH /* ephemeral key agreement: the "ciphertext" is the server's public key */
};

enum { INNER_NAMES_MAX = 2 };

struct group {
    const char *name;    /* of the TLS group, the key type and the KEM */
    uint16_t code_point; /* default; codepoint-NAME in the configuration overrides it */
    enum inner_kind kind;
    const char *inner_names[INNER_NAMES_MAX]; /* EVP names; the first that can be fetched counts */
    const char *curve;                        /* of an "EC" inner key, else NULL */
    unsigned bits;                            /* what EVP_PKEY_get_bits reports */
    unsigned security_bits;                   /* without counting on QKD */
    /* Octets of the inner algorithm; 0 where they differ between versions of its provider and are
     * asked for instead. */
    size_t public_bytes;
    size_t ciphertext_bytes;
    size_t secret_bytes;
};

extern const struct group groups[GROUP_COUNT];

/* Whether IANA gave the number to another TLS group: libssl would then take that other group
 * without a word. */
bool code_point_is_taken(unsigned code_point);

#endif
