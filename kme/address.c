/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <event2/util.h>

static in_port_t port_of(const struct address *address)
{
    if (address->socket.ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)&address->socket)->sin6_port;
    return ((const struct sockaddr_in *)&address->socket)->sin_port;
}

bool address_parse(const char *text, struct address *address)
{
    struct address parsed;
    int length = sizeof(parsed.socket);

    memset(&parsed, 0, sizeof(parsed));
    if (strlen(text) >= sizeof(parsed.text) ||
        evutil_parse_sockaddr_port(text, (struct sockaddr *)&parsed.socket, &length) != 0 ||
        port_of(&parsed) == 0)
        return false;
    strcpy(parsed.text, text);
    parsed.socket_length = (socklen_t)length;
    *address = parsed;
    return true;
}

bool address_is_loopback(const struct address *address)
{
    if (address->socket.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&address->socket)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)&address->socket)->sin_addr.s_addr) >> 24 == 127;
}
