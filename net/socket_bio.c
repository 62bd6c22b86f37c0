/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socket_bio.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

static int fd_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int socket_write(BIO *bio, const char *data, int length)
{
    ssize_t written = send(fd_of(bio), data, (size_t)length, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (written < 0 && would_block())
        BIO_set_retry_write(bio);
    return (int)written;
}

static int socket_read(BIO *bio, char *data, int length)
{
    ssize_t got = recv(fd_of(bio), data, (size_t)length, 0);

    BIO_clear_retry_flags(bio);
    if (got < 0 && would_block())
        BIO_set_retry_read(bio);
    else if (got == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)got;
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static int socket_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *socket_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "qkd socket");

    if (method == NULL)
        return NULL;
    if (BIO_meth_set_write(method, socket_write) && BIO_meth_set_read(method, socket_read) &&
        BIO_meth_set_ctrl(method, socket_ctrl) && BIO_meth_set_create(method, socket_create))
        return method;
    BIO_meth_free(method);
    return NULL;
}

BIO *socket_bio_new(const BIO_METHOD *method, int fd)
{
    BIO *bio = BIO_new(method);

    if (bio != NULL)
        BIO_set_data(bio, (void *)(intptr_t)fd);
    return bio;
}
