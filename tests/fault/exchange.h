/* SPDX-License-Identifier: Apache-2.0 */
/* One key exchange of a group, through EVP as libssl does it, between two library contexts. */
#ifndef QKD_TESTS_FAULT_EXCHANGE_H
#define QKD_TESTS_FAULT_EXCHANGE_H

#include <stdbool.h>

#include <openssl/crypto.h>

enum { EXCHANGE_TEXT_BYTES = 640 };

enum exchange_end {
    EXCHANGE_DONE,   /* both ends hold the same secret */
    EXCHANGE_FAILED, /* it ended with a reason of ours */
    EXCHANGE_WRONG   /* what must never be; `text` says what */
};

struct exchange_result {
    enum exchange_end end;
    const char *step; /* of the exchange that failed */
    int reason;       /* enum reason; 0 without one */
    char text[EXCHANGE_TEXT_BYTES];
};

/* A library context with the provider, configured by an openssl.cnf. NULL when it cannot be. */
OSSL_LIB_CTX *exchange_open(const char *conf);

/* Runs one exchange and says how it ended. Empties the error queue. */
void exchange(OSSL_LIB_CTX *client, OSSL_LIB_CTX *server, const char *group,
              struct exchange_result *result);

#endif
