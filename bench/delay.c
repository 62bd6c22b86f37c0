/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long wire between two network namespaces: carries the packets of two TUN devices to each
 * other, each of them so much later.
 *
 *     delay FD FD MICROSECONDS
 *
 * The descriptors are the devices, inherited. Kernels without netem have no other way; the TCP
 * of both ends is the kernel's. Ends on SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"

/* A packet more than the wire holds is lost, as on any wire. */
enum { PACKET_BYTES = 2048, WIRE_PACKETS = 4096, WAYS = 2, NS_PER_US = 1000 };

struct packet {
    int64_t due_ns;
    size_t length_bytes;
    uint8_t octets[PACKET_BYTES];
};

/* One direction: a ring, since all packets are equally late. */
struct way {
    int from;
    int to;
    size_t first;
    size_t count;
    struct packet packets[WIRE_PACKETS];
};

static void take_in(struct way *way, int64_t delay_ns)
{
    uint8_t lost[PACKET_BYTES];

    for (;;) {
        struct packet *packet = &way->packets[(way->first + way->count) % WIRE_PACKETS];
        const bool full = way->count == WIRE_PACKETS;
        ssize_t got = read(way->from, full ? lost : packet->octets, PACKET_BYTES);

        if (got <= 0)
            return;
        if (full)
            continue;
        packet->due_ns = monotonic_ns() + delay_ns;
        packet->length_bytes = (size_t)got;
        way->count++;
    }
}

/* What is due goes out; returns when the next one is, INT64_MAX when there is none. */
static int64_t let_out(struct way *way)
{
    while (way->count > 0) {
        struct packet *packet = &way->packets[way->first];

        if (packet->due_ns > monotonic_ns())
            return packet->due_ns;
        if (write(way->to, packet->octets, packet->length_bytes) < 0 && errno != EAGAIN)
            fprintf(stderr, "delay: a packet was not taken: %s\n", strerror(errno));
        way->first = (way->first + 1) % WIRE_PACKETS;
        way->count--;
    }
    return INT64_MAX;
}

static int carry(struct way *ways, int64_t delay_ns)
{
    for (;;) {
        struct pollfd fds[WAYS] = {{.fd = ways[0].from, .events = POLLIN},
                                   {.fd = ways[1].from, .events = POLLIN}};
        struct timespec wait = {0}, *limit = NULL;
        int64_t next_ns = INT64_MAX;

        for (int i = 0; i < WAYS; i++) {
            const int64_t due_ns = let_out(&ways[i]);

            next_ns = due_ns < next_ns ? due_ns : next_ns;
        }
        if (next_ns != INT64_MAX) {
            const int64_t left_ns = next_ns - monotonic_ns();

            wait.tv_nsec = left_ns > 0 ? (long)left_ns : 0;
            limit = &wait;
        }
        if (ppoll(fds, WAYS, limit, NULL) < 0 && errno != EINTR) {
            fprintf(stderr, "delay: poll: %s\n", strerror(errno));
            return 1;
        }
        for (int i = 0; i < WAYS; i++)
            take_in(&ways[i], delay_ns);
    }
}

int main(int count, char **words)
{
    static struct way ways[WAYS];
    const long delay_us = count == 4 ? atol(words[3]) : -1;

    if (delay_us < 0 || delay_us >= 1000000) {
        fprintf(stderr, "usage: delay FD FD MICROSECONDS (less than a second)\n");
        return 2;
    }
    ways[0].from = ways[1].to = atoi(words[1]);
    ways[1].from = ways[0].to = atoi(words[2]);
    for (int i = 0; i < WAYS; i++)
        if (fcntl(ways[i].from, F_SETFL, O_NONBLOCK) != 0) {
            fprintf(stderr, "delay: descriptor %s: %s\n", words[1 + i], strerror(errno));
            return 1;
        }
    return carry(ways, delay_us * NS_PER_US);
}
