/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/options.h"
#include "net/http.h"

enum { REQUEST_MAX_BYTES = 8192, READ_CHUNK_BYTES = 16384 };

static bool wait_for(int fd, short events, const struct deadline *deadline, struct status *status)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    if (poll(&poll_fd, 1, deadline_left_ms(deadline)) > 0)
        return true;
    return status_fail(status, OUTCOME_TIMEOUT, "no answer within the time limit");
}

static int connect_loopback(unsigned port, const struct deadline *deadline, struct status *status)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0;
    socklen_t length = sizeof(error);

    if (fd < 0) {
        status_fail(status, OUTCOME_INTERNAL, "cannot make a socket: %s", strerror(errno));
        return -1;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        error = errno;
        if (error == EINPROGRESS && wait_for(fd, POLLOUT, deadline, status))
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    }
    if (error == 0)
        return fd;
    status_fail(status, OUTCOME_KME, "%s", strerror(error));
    close(fd);
    return -1;
}

static bool send_all(int fd, const struct buf *request, const struct deadline *deadline,
                     struct status *status)
{
    for (size_t done = 0; done < request->length;) {
        ssize_t count = send(fd, request->data + done, request->length - done, MSG_NOSIGNAL);

        if (count > 0)
            done += (size_t)count;
        else if (errno != EAGAIN && errno != EINTR)
            return status_fail(status, OUTCOME_KME, "cannot send: %s", strerror(errno));
        else if (!wait_for(fd, POLLOUT, deadline, status))
            return false;
    }
    return true;
}

/* Reads until the response is complete; `input` keeps what is not taken yet. */
static bool receive(int fd, struct http_response *response, struct buf *input,
                    const struct deadline *deadline, struct status *status)
{
    while (response->phase != HTTP_COMPLETE) {
        uint8_t *room = buf_reserve(input, READ_CHUNK_BYTES);
        ssize_t count;

        if (room == NULL)
            return status_fail(status, OUTCOME_KME, "the answer is too large");
        if (!wait_for(fd, POLLIN, deadline, status))
            return false;
        count = recv(fd, room, READ_CHUNK_BYTES, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (count < 0)
            return status_fail(status, OUTCOME_KME, "cannot read: %s", strerror(errno));
        if (count == 0)
            return http_response_end(response, status);
        input->length += (size_t)count;
        if (!http_response_feed(response, input, status))
            return false;
    }
    return true;
}

/* `json` is NULL for a GET. */
static bool ask(unsigned port, const char *path, const struct buf *json,
                const struct deadline *deadline, int *code, struct buf *body, struct status *status)
{
    struct http_response response;
    struct buf request, input;
    char port_text[8];
    int fd;

    buf_init(&request, REQUEST_MAX_BYTES);
    buf_init(&input, ADMIN_BODY_MAX_BYTES);
    http_response_init(&response, ADMIN_BODY_MAX_BYTES);
    snprintf(port_text, sizeof(port_text), "%u", port);
    http_put_request(&request, "127.0.0.1", port_text, path, json);
    fd = connect_loopback(port, deadline, status);
    if (fd >= 0 && send_all(fd, &request, deadline, status) &&
        receive(fd, &response, &input, deadline, status)) {
        *code = response.code;
        buf_put(body, response.body.data, response.body.length);
    }
    if (fd >= 0)
        close(fd);
    http_response_free(&response);
    buf_free(&input);
    buf_free(&request);
    if (status->outcome != OUTCOME_OK)
        return status_prefix(status, "http://127.0.0.1:%u%s", port, path);
    return true;
}

bool admin_get(unsigned port, const char *path, const struct deadline *deadline, int *code,
               struct buf *body, struct status *status)
{
    return ask(port, path, NULL, deadline, code, body, status);
}

bool admin_post(unsigned port, const char *path, const struct buf *json,
                const struct deadline *deadline, int *code, struct buf *body, struct status *status)
{
    return ask(port, path, json, deadline, code, body, status);
}

bool admin_port_parse(const char *url, unsigned *port, struct status *status)
{
    static const char *const starts[] = {"http://127.0.0.1:", "http://localhost:"};
    int64_t number;

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t length = strlen(starts[i]);

        if (strncmp(url, starts[i], length) == 0 && number_parse(url + length, 1, 65535, &number)) {
            *port = (unsigned)number;
            return true;
        }
    }
    return status_fail(status, OUTCOME_INPUT,
                       "--admin '%s' is not of the form http://127.0.0.1:PORT", url);
}
