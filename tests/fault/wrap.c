/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ares.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

static struct {
    bool armed;
    unsigned wanted;
    unsigned count;
    const char *failed;
} fault;

void fault_arm(unsigned number)
{
    fault.armed = true;
    fault.wanted = number;
    fault.count = 0;
    fault.failed = NULL;
}

unsigned fault_disarm(void)
{
    fault.armed = false;
    return fault.count;
}

const char *fault_name(void)
{
    return fault.failed;
}

static bool fails_now(const char *name)
{
    if (!fault.armed || ++fault.count != fault.wanted)
        return false;
    fault.failed = name;
    return true;
}

/* A function that returns `failure` (after setting errno to `number`, where that tells) instead
 * of calling the real one. */
#define WRAP(type, name, parameters, arguments, failure, number)                                   \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        if (!fails_now(#name))                                                                     \
            return __real_##name arguments;                                                        \
        errno = (number);                                                                          \
        return (failure);                                                                          \
    }

WRAP(void *, CRYPTO_malloc, (size_t size, const char *file, int line), (size, file, line), NULL,
     ENOMEM)
WRAP(void *, CRYPTO_zalloc, (size_t size, const char *file, int line), (size, file, line), NULL,
     ENOMEM)
WRAP(void *, CRYPTO_secure_zalloc, (size_t size, const char *file, int line), (size, file, line),
     NULL, ENOMEM)
WRAP(char *, CRYPTO_strdup, (const char *text, const char *file, int line), (text, file, line),
     NULL, ENOMEM)
WRAP(void *, CRYPTO_clear_realloc,
     (void *block, size_t old_size, size_t size, const char *file, int line),
     (block, old_size, size, file, line), NULL, ENOMEM)

WRAP(OSSL_LIB_CTX *, OSSL_LIB_CTX_new, (void), (), NULL, 0)
WRAP(OSSL_LIB_CTX *, OSSL_LIB_CTX_new_child,
     (const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in), (handle, in), NULL, 0)
WRAP(OSSL_PROVIDER *, OSSL_PROVIDER_load, (OSSL_LIB_CTX * library, const char *name),
     (library, name), NULL, 0)
WRAP(BIO_METHOD *, BIO_meth_new, (int type, const char *name), (type, name), NULL, 0)
WRAP(BIO *, BIO_new, (const BIO_METHOD *method), (method), NULL, 0)
WRAP(BIO *, BIO_new_mem_buf, (const void *octets, int length), (octets, length), NULL, 0)
WRAP(X509 *, X509_new_ex, (OSSL_LIB_CTX * library, const char *query), (library, query), NULL, 0)
WRAP(X509 *, PEM_read_bio_X509,
     (BIO * bio, X509 **certificate, pem_password_cb *callback, void *argument),
     (bio, certificate, callback, argument), NULL, 0)
WRAP(EVP_PKEY *, PEM_read_bio_PrivateKey_ex,
     (BIO * bio, EVP_PKEY **key, pem_password_cb *callback, void *argument, OSSL_LIB_CTX *library,
      const char *query),
     (bio, key, callback, argument, library, query), NULL, 0)
WRAP(int, X509_STORE_add_cert, (X509_STORE * store, X509 *certificate), (store, certificate), 0, 0)
WRAP(SSL_CTX *, SSL_CTX_new_ex,
     (OSSL_LIB_CTX * library, const char *query, const SSL_METHOD *method),
     (library, query, method), NULL, 0)
WRAP(int, SSL_CTX_set_cipher_list, (SSL_CTX * ctx, const char *list), (ctx, list), 0, 0)
WRAP(int, SSL_CTX_use_certificate, (SSL_CTX * ctx, X509 *certificate), (ctx, certificate), 0, 0)
WRAP(int, SSL_CTX_use_PrivateKey, (SSL_CTX * ctx, EVP_PKEY *key), (ctx, key), 0, 0)
WRAP(SSL *, SSL_new, (SSL_CTX * ctx), (ctx), NULL, 0)
WRAP(int, SSL_CTX_set_ex_data, (SSL_CTX * ctx, int place, void *data), (ctx, place, data), 0, 0)
WRAP(SSL_SESSION *, SSL_SESSION_dup, (const SSL_SESSION *session), (session), NULL, 0)
WRAP(int, SSL_set_session, (SSL * ssl, SSL_SESSION *session), (ssl, session), 0, 0)
WRAP(int, SSL_set1_host, (SSL * ssl, const char *host), (ssl, host), 0, 0)

WRAP(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name,
     (OSSL_LIB_CTX * library, const char *name, const char *query), (library, name, query), NULL, 0)
WRAP(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey,
     (OSSL_LIB_CTX * library, EVP_PKEY *key, const char *query), (library, key, query), NULL, 0)
WRAP(int, EVP_PKEY_generate, (EVP_PKEY_CTX * ctx, EVP_PKEY **key), (ctx, key), 0, 0)
WRAP(int, EVP_PKEY_fromdata,
     (EVP_PKEY_CTX * ctx, EVP_PKEY **key, int selection, OSSL_PARAM params[]),
     (ctx, key, selection, params), 0, 0)
WRAP(int, EVP_PKEY_encapsulate,
     (EVP_PKEY_CTX * ctx, unsigned char *wrapped, size_t *wrapped_length, unsigned char *secret,
      size_t *secret_length),
     (ctx, wrapped, wrapped_length, secret, secret_length), 0, 0)
WRAP(int, EVP_PKEY_decapsulate,
     (EVP_PKEY_CTX * ctx, unsigned char *secret, size_t *secret_length,
      const unsigned char *wrapped, size_t wrapped_length),
     (ctx, secret, secret_length, wrapped, wrapped_length), 0, 0)
WRAP(int, EVP_PKEY_derive, (EVP_PKEY_CTX * ctx, unsigned char *secret, size_t *length),
     (ctx, secret, length), 0, 0)
WRAP(size_t, EVP_PKEY_get1_encoded_public_key, (EVP_PKEY * key, unsigned char **octets),
     (key, octets), 0, 0)
WRAP(EVP_PKEY *, EVP_PKEY_new_raw_public_key_ex,
     (OSSL_LIB_CTX * library, const char *name, const char *query, const unsigned char *octets,
      size_t length),
     (library, name, query, octets, length), NULL, 0)

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1, EMFILE)
WRAP(int, connect, (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length), -1, ECONNREFUSED)
WRAP(int, poll, (struct pollfd * polled, nfds_t count, int timeout_ms), (polled, count, timeout_ms),
     -1, ENOMEM)
WRAP(int, __poll_chk, (struct pollfd * polled, nfds_t count, int timeout_ms, size_t room),
     (polled, count, timeout_ms, room), -1, ENOMEM)
WRAP(ssize_t, send, (int fd, const void *octets, size_t length, int flags),
     (fd, octets, length, flags), -1, ECONNRESET)
WRAP(ssize_t, recv, (int fd, void *octets, size_t length, int flags), (fd, octets, length, flags),
     -1, ECONNRESET)
WRAP(ssize_t, read, (int fd, void *octets, size_t length), (fd, octets, length), -1, EIO)
WRAP(int, ares_init, (ares_channel * channel), (channel), ARES_ENOMEM, 0)

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    unsigned mode = 0;
    va_list arguments;

    if (fails_now("open")) {
        errno = EACCES;
        return -1;
    }
    if ((flags & O_CREAT) != 0) {
        va_start(arguments, flags);
        mode = va_arg(arguments, unsigned);
        va_end(arguments);
    }
    return __real_open(path, flags, mode);
}

void __real_ares_getaddrinfo(ares_channel channel, const char *node, const char *service,
                             const struct ares_addrinfo_hints *hints,
                             ares_addrinfo_callback callback, void *argument);
void __wrap_ares_getaddrinfo(ares_channel channel, const char *node, const char *service,
                             const struct ares_addrinfo_hints *hints,
                             ares_addrinfo_callback callback, void *argument);
void __wrap_ares_getaddrinfo(ares_channel channel, const char *node, const char *service,
                             const struct ares_addrinfo_hints *hints,
                             ares_addrinfo_callback callback, void *argument)
{
    if (fails_now("ares_getaddrinfo"))
        callback(argument, ARES_ENOMEM, 0, NULL);
    else
        __real_ares_getaddrinfo(channel, node, service, hints, callback, argument);
}
