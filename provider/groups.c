/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/groups.h"

#define KEM_ROW(id, number, evp_name, strength, level, public, ciphertext, secret)                 \
    [GROUP_##id] = {                                                                               \
        .name = "qkd_" #id,                                                                        \
        .code_point = number,                                                                      \
        .kind = INNER_KEM,                                                                         \
        .inner_names = {evp_name},                                                                 \
        .bits = strength,                                                                          \
        .security_bits = level,                                                                    \
        .public_bytes = public,                                                                    \
        .ciphertext_bytes = ciphertext,                                                            \
        .secret_bytes = secret,                                                                    \
    }

#define ECDH_ROW(id, number, evp_name, curve_name, strength, level, public, secret)                \
    [GROUP_##id] = {                                                                               \
        .name = "qkd_" #id,                                                                        \
        .code_point = number,                                                                      \
        .kind = INNER_ECDH,                                                                        \
        .inner_names = {evp_name},                                                                 \
        .curve = curve_name,                                                                       \
        .bits = strength,                                                                          \
        .security_bits = level,                                                                    \
        .public_bytes = public,                                                                    \
        .ciphertext_bytes = public,                                                                \
        .secret_bytes = secret,                                                                    \
    }

/* Inner algorithms of oqsprovider; names and numbers of the published QKD-KEM design. */
#define OQS_ROW(id, number, evp_name, older_name, level)                                           \
    [GROUP_##id] = {                                                                               \
        .name = "qkd_" #id,                                                                        \
        .code_point = number,                                                                      \
        .kind = INNER_KEM,                                                                         \
        .inner_names = {evp_name, older_name},                                                     \
        .bits = level,                                                                             \
        .security_bits = level,                                                                    \
    }

const struct group groups[GROUP_COUNT] = {
    KEM_ROW(mlkem512, 0x304A, "ML-KEM-512", 512, 128, 800, 768, 32),
    KEM_ROW(mlkem768, 0x3768, "ML-KEM-768", 768, 192, 1184, 1088, 32),
    KEM_ROW(mlkem1024, 0x3024, "ML-KEM-1024", 1024, 256, 1568, 1568, 32),
    KEM_ROW(x25519mlkem768, 0xFE18, "X25519MLKEM768", 768, 192, 1216, 1120, 64),
    KEM_ROW(secp256r1mlkem768, 0xFE19, "SecP256r1MLKEM768", 768, 192, 1249, 1153, 64),
    KEM_ROW(secp384r1mlkem1024, 0xFE1A, "SecP384r1MLKEM1024", 1024, 256, 1665, 1665, 80),
    ECDH_ROW(x25519, 0xFE10, "X25519", NULL, 253, 128, 32, 32),
    ECDH_ROW(secp256r1, 0xFE11, "EC", "P-256", 256, 128, 65, 32),
    ECDH_ROW(secp384r1, 0xFE12, "EC", "P-384", 384, 192, 97, 48),
    OQS_ROW(efrodo640aes, 0xFE00, "efrodo640aes", NULL, 128),
    OQS_ROW(efrodo640shake, 0xFE01, "efrodo640shake", NULL, 128),
    OQS_ROW(efrodo976aes, 0xFE02, "efrodo976aes", NULL, 192),
    OQS_ROW(efrodo976shake, 0xFE03, "efrodo976shake", NULL, 192),
    OQS_ROW(efrodo1344aes, 0xFE04, "efrodo1344aes", NULL, 256),
    OQS_ROW(efrodo1344shake, 0xFE05, "efrodo1344shake", NULL, 256),
    OQS_ROW(frodo640aes, 0x3000, "frodo640aes", NULL, 128),
    OQS_ROW(frodo640shake, 0x3001, "frodo640shake", NULL, 128),
    OQS_ROW(frodo976aes, 0x3002, "frodo976aes", NULL, 192),
    OQS_ROW(frodo976shake, 0x3003, "frodo976shake", NULL, 192),
    OQS_ROW(frodo1344aes, 0x3004, "frodo1344aes", NULL, 256),
    OQS_ROW(frodo1344shake, 0x3005, "frodo1344shake", NULL, 256),
    OQS_ROW(kyber512, 0x303A, "kyber512", NULL, 128),
    OQS_ROW(kyber768, 0x303C, "kyber768", NULL, 192),
    OQS_ROW(kyber1024, 0x303D, "kyber1024", NULL, 256),
    OQS_ROW(bikel1, 0x3041, "bikel1", NULL, 128),
    OQS_ROW(bikel3, 0x3042, "bikel3", NULL, 192),
    OQS_ROW(bikel5, 0x3043, "bikel5", NULL, 256),
    OQS_ROW(hqc128, 0x3044, "hqc1", "hqc128", 128),
    OQS_ROW(hqc192, 0x3045, "hqc3", "hqc192", 192),
    OQS_ROW(hqc256, 0x3046, "hqc5", "hqc256", 256),
};

struct code_point_range {
    uint16_t first;
    uint16_t last;
};

/* IANA's TLS Supported Groups registry, read November 2026. */
static const struct code_point_range taken_ranges[] = {
    {0x0000, 0x0104}, /* curves, and ffdhe2048 to ffdhe8192 */
    {0x0200, 0x0202}, /* ML-KEM-512, 768, 1024 */
    {0x11EB, 0x11EE}, /* hybrids of ML-KEM with ECDH */
    {0x6399, 0x639A}, /* hybrids of Kyber768 draft 00 */
    {0xFF01, 0xFF02}, /* explicit curves */
};

bool code_point_is_taken(unsigned code_point)
{
    for (size_t i = 0; i < sizeof(taken_ranges) / sizeof(taken_ranges[0]); i++)
        if (code_point >= taken_ranges[i].first && code_point <= taken_ranges[i].last)
            return true;
    return false;
}
