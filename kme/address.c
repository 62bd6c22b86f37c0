/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
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

void address_of_peer(int fd, char text[static ADDRESS_TEXT_BYTES])
{
    struct address peer = {.socket_length = sizeof(peer.socket)};
    char host[INET6_ADDRSTRLEN] = "";
    bool is_6;

    text[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&peer.socket, &peer.socket_length) != 0)
        return;
    is_6 = peer.socket.ss_family == AF_INET6;
    inet_ntop(peer.socket.ss_family,
              is_6 ? (const void *)&((const struct sockaddr_in6 *)&peer.socket)->sin6_addr
                   : (const void *)&((const struct sockaddr_in *)&peer.socket)->sin_addr,
              host, sizeof(host));
    if (host[0] != '\0')
        snprintf(text, ADDRESS_TEXT_BYTES, is_6 ? "[%s]:%u" : "%s:%u", host,
                 (unsigned)ntohs(port_of(&peer)));
}
