/* SPDX-License-Identifier: Apache-2.0 */
/* The provider in a library context of its own, configured as openssl.cnf would, without a key
 * server: a socket stands where one would be. */
#ifndef QKD_TESTS_UNIT_WORLD_H
#define QKD_TESTS_UNIT_WORLD_H

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "provider/reasons.h"
#include "tests/unit/identity_files.h"

extern OSSL_provider_init_fn OSSL_provider_init;

enum { WORLD_SETTINGS_BYTES = 2048 };

enum world_port {
    WORLD_CLOSED, /* every connection is refused */
    WORLD_SILENT  /* connections are taken and nothing is said */
};

struct world {
    OSSL_LIB_CTX *library;
    int socket; /* keeps the port of the key server ours */
    int port;
};

static inline void world_open_port(struct world *world, enum world_port kind)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    world->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(world->socket >= 0);
    assert_int_equal(bind(world->socket, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(world->socket, (struct sockaddr *)&address, &length), 0);
    if (kind == WORLD_SILENT)
        assert_int_equal(listen(world->socket, 8), 0);
    world->port = ntohs(address.sin_port);
}

/* Whether anybody has connected to the silent port. */
static inline bool world_was_called(const struct world *world)
{
    struct pollfd polled = {.fd = world->socket, .events = POLLIN};

    return poll(&polled, 1, 0) > 0;
}

static inline void world_load(struct world *world, const char *lines)
{
    static const char format[] = "openssl_conf = openssl_init\n"
                                 "[openssl_init]\nproviders = provider_list\n"
                                 "[provider_list]\ndefault = default_provider\nqkd = qkd_provider\n"
                                 "[default_provider]\nactivate = 1\n"
                                 "[qkd_provider]\nactivate = 1\n%s\n";
    char text[2 * WORLD_SETTINGS_BYTES], path[TEMP_PATH_BYTES];

    snprintf(text, sizeof(text), format, lines);
    temp_write(&temp, "openssl.cnf", text, strlen(text));
    temp_path(&temp, "openssl.cnf", path);
    world->library = OSSL_LIB_CTX_new();
    assert_non_null(world->library);
    assert_int_equal(OSSL_PROVIDER_add_builtin(world->library, "qkd", OSSL_provider_init), 1);
    assert_int_equal(OSSL_LIB_CTX_load_config(world->library, path), 1);
    assert_int_equal(OSSL_PROVIDER_available(world->library, "qkd"), 1);
}

/* Good settings of `sae` with a key server at a port of the given kind, and more lines. */
static inline void world_open(struct world *world, enum world_port kind, const char *sae,
                              const char *peer, const char *more)
{
    char lines[WORLD_SETTINGS_BYTES], cert[TEMP_PATH_BYTES], key[TEMP_PATH_BYTES];

    world_open_port(world, kind);
    temp_path(&temp, "cert.pem", cert);
    temp_path(&temp, "key.pem", key);
    snprintf(lines, sizeof(lines),
             "sae = %s\npeer = %s\nkme = https://127.0.0.1:%d\ncert = %s\nkey = %s\nca = %s\n%s",
             sae, peer, world->port, cert, key, cert, more);
    world_load(world, lines);
}

static inline void world_close(struct world *world)
{
    OSSL_LIB_CTX_free(world->library);
    if (world->socket > 0)
        close(world->socket);
    ERR_clear_error();
}

/* Whether the first error of the queue is this reason of ours, with this text among its
 * particulars; empties the queue. */
static inline void assert_raised(enum reason reason, const char *part)
{
    const char *data = "";
    int flags;
    unsigned long error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    char text[1024];

    snprintf(text, sizeof(text), "%s %s: %s", ERR_lib_error_string(error),
             ERR_reason_error_string(error), (flags & ERR_TXT_STRING) != 0 ? data : "");
    if (ERR_GET_REASON(error) != (int)reason)
        fail_msg("reason %d instead of %d: %s", ERR_GET_REASON(error), (int)reason, text);
    assert_contains(text, "qkd ");
    assert_contains(text, part);
    ERR_clear_error();
}

#endif
