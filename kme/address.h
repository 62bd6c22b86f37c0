/* SPDX-License-Identifier: Apache-2.0 */
/* A numeric IP address with a port, as the configuration file writes it. */
#ifndef QKD_KME_ADDRESS_H
#define QKD_KME_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT_BYTES = 64 };

struct address {
    char text[ADDRESS_TEXT_BYTES]; /* as written */
    struct sockaddr_storage socket;
    socklen_t socket_length;
};

/* Reads 127.0.0.1:17400 or [::1]:17400, the port from 1 to 65535. */
bool address_parse(const char *text, struct address *address);
bool address_is_loopback(const struct address *address);

/* Who is at the other end of a connected socket, in the same form; "" when that is not known. */
void address_of_peer(int fd, char text[static ADDRESS_TEXT_BYTES]);

#endif
