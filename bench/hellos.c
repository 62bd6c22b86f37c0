/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attacker who has no certificate, no key and no QKD: sends ClientHellos for qkd_x25519 and
 * leaves when anything comes back.
 *
 *     hellos ADDRESS PORT COUNT AT_ONCE RATE LIMIT_MS IDS
 *
 * RATE 0: closed loop, AT_ONCE connections at a time. Else so many begin in a second, whatever
 * becomes of them, and those beyond AT_ONCE at a time are given up. IDS: zero (as a client that
 * leaves the key to the server) or random (as one that has a key). No new ones after LIMIT_MS.
 *
 * Prints "SENT SERVER_HELLOS ALERTS CLOSED GIVEN_UP MILLISECONDS".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/deadline.h"

enum {
    AT_ONCE_MAX = 512,
    PATIENCE_MS = 10000, /* for an answer */
    RECORD_HANDSHAKE = 22,
    RECORD_ALERT = 21,
    NS_PER_MS = 1000000
};

#define MIDDLE                                                                                     \
    {                                                                                              \
        0x00, 0x02, 0x13, 0x01,                             /* TLS_AES_128_GCM_SHA256 */           \
            0x01, 0x00,                                     /* no compression */                   \
            0x00, 0x6D,                                     /* extensions, 109 octets */           \
            0x00, 0x2B, 0x00, 0x03, 0x02, 0x03, 0x04,       /* supported_versions: 1.3 */          \
            0x00, 0x0A, 0x00, 0x04, 0x00, 0x02, 0xFE, 0x10, /* supported_groups */                 \
            0x00, 0x0D, 0x00, 0x08, 0x00, 0x06,             /* signature_algorithms */             \
            0x04, 0x03, 0x08, 0x04, 0x04, 0x01, 0x00, 0x00, 0x00, 0x0E, 0x00, 0x0C, 0x00, 0x00,    \
            0x09, /* server_name */                                                                \
            'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0x00, 0x2D, 0x00, 0x02, 0x01,             \
            0x01, /* psk_key_exchange_modes */                                                     \
            0x00, 0x33, 0x00, 0x36, 0x00, 0x34, 0xFE, 0x10, 0x00, 0x30 /* key_share */             \
    }

/* A record with a ClientHello. */
struct hello {
    uint8_t head[11];
    uint8_t random[32];
    uint8_t session_length[1];
    uint8_t session[32];
    uint8_t middle[69];
    uint8_t public_key[32];
    uint8_t key_id[16];
};

static const struct hello hello_form = {
    .head = {0x16, 0x03, 0x01, 0x00, 0xBC, 0x01, 0x00, 0x00, 0xB8, 0x03, 0x03},
    .session_length = {32},
    .middle = MIDDLE,
};
_Static_assert(sizeof(struct hello) == 5 + 0xBC, "the lengths in the head and the middle");

struct plan {
    struct sockaddr_in address;
    long count;
    int at_once;
    long rate_per_s; /* 0: closed loop */
    int64_t limit_ns;
    bool random_ids;
};

struct result {
    long sent;
    long shares;
    long alerts;
    long other;
    long given_up;
};

struct attacker {
    struct pollfd fds[AT_ONCE_MAX]; /* fd -1: free; POLLOUT: is connecting */
    int64_t begun_ns[AT_ONCE_MAX];
    int open;
};

static void fill_hello(const struct plan *plan, struct hello *hello)
{
    *hello = hello_form;
    RAND_bytes(hello->random, sizeof(hello->random));
    RAND_bytes(hello->session, sizeof(hello->session));
    RAND_bytes(hello->public_key, sizeof(hello->public_key));
    if (plan->random_ids)
        RAND_bytes(hello->key_id, sizeof(hello->key_id));
}

static bool begin(const struct plan *plan, struct attacker *attacker, int64_t now_ns)
{
    for (int i = 0; i < plan->at_once; i++) {
        struct pollfd *slot = &attacker->fds[i];

        if (slot->fd >= 0)
            continue;
        slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (slot->fd < 0 || (connect(slot->fd, (const struct sockaddr *)&plan->address,
                                     sizeof(plan->address)) != 0 &&
                             errno != EINPROGRESS)) {
            perror("hellos: connect");
            exit(1);
        }
        slot->events = POLLOUT;
        attacker->begun_ns[i] = now_ns;
        attacker->open++;
        return true;
    }
    return false;
}

static void leave(struct attacker *attacker, int i)
{
    /* A reset: thousands of closed connections would keep their ports for a minute. */
    const struct linger now = {.l_onoff = 1};

    setsockopt(attacker->fds[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(attacker->fds[i].fd);
    attacker->fds[i].fd = -1;
    attacker->open--;
}

static void say_hello(const struct plan *plan, struct attacker *attacker, int i,
                      struct result *result)
{
    struct hello hello;

    fill_hello(plan, &hello);
    attacker->fds[i].events = POLLIN;
    if (send(attacker->fds[i].fd, &hello, sizeof(hello), MSG_NOSIGNAL) == (ssize_t)sizeof(hello)) {
        result->sent++;
        return;
    }
    result->given_up++;
    leave(attacker, i);
}

static void hear(struct attacker *attacker, int i, struct result *result)
{
    uint8_t first;
    const ssize_t got = recv(attacker->fds[i].fd, &first, 1, 0);

    if (got == 1 && first == RECORD_HANDSHAKE)
        result->shares++;
    else if (got == 1 && first == RECORD_ALERT)
        result->alerts++;
    else
        result->other++;
    leave(attacker, i);
}

static void look(const struct plan *plan, struct attacker *attacker, struct result *result)
{
    const int64_t now_ns = monotonic_ns();

    for (int i = 0; i < plan->at_once; i++) {
        struct pollfd *slot = &attacker->fds[i];

        if (slot->fd < 0)
            continue;
        if (slot->revents & POLLOUT) {
            say_hello(plan, attacker, i, result);
        } else if (slot->revents != 0) {
            hear(attacker, i, result);
        } else if (now_ns - attacker->begun_ns[i] > (int64_t)PATIENCE_MS * NS_PER_MS) {
            result->given_up++;
            leave(attacker, i);
        }
        slot->revents = 0;
    }
}

/* How many should have begun by now. */
static long wanted(const struct plan *plan, int64_t elapsed_ns)
{
    if (plan->rate_per_s == 0)
        return plan->count;
    const long by_now = (long)(elapsed_ns / NS_PER_MS * plan->rate_per_s / 1000);

    return by_now < plan->count ? by_now : plan->count;
}

static void attack(const struct plan *plan, struct attacker *attacker, struct result *result)
{
    const int64_t start_ns = monotonic_ns();
    long begun = 0;

    for (;;) {
        const int64_t now_ns = monotonic_ns();
        const bool over = begun == plan->count || now_ns - start_ns >= plan->limit_ns;
        const long goal = over ? 0 : wanted(plan, now_ns - start_ns);

        if (over && attacker->open == 0)
            return;
        while (begun < goal && begin(plan, attacker, now_ns))
            begun++;
        if (plan->rate_per_s != 0 && begun < goal) {
            result->given_up += goal - begun;
            begun = goal;
        }
        if (poll(attacker->fds, (nfds_t)plan->at_once, plan->rate_per_s ? 1 : 100) > 0 ||
            attacker->open > 0)
            look(plan, attacker, result);
    }
}

static bool read_plan(int count, char **words, struct plan *plan)
{
    if (count != 8)
        return false;
    *plan = (struct plan){
        .address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[2]))},
        .count = atol(words[3]),
        .at_once = atoi(words[4]),
        .rate_per_s = atol(words[5]),
        .limit_ns = (int64_t)atol(words[6]) * NS_PER_MS,
        .random_ids = strcmp(words[7], "random") == 0};
    return inet_pton(AF_INET, words[1], &plan->address.sin_addr) == 1 && plan->at_once > 0 &&
           plan->at_once <= AT_ONCE_MAX && (plan->random_ids || strcmp(words[7], "zero") == 0);
}

int main(int count, char **words)
{
    struct attacker attacker = {0};
    struct result result = {0};
    struct plan plan;
    int64_t start_ns;

    if (!read_plan(count, words, &plan)) {
        fprintf(stderr,
                "usage: hellos ADDRESS PORT COUNT AT_ONCE RATE LIMIT_MS zero|random "
                "(at most %d at once)\n",
                AT_ONCE_MAX);
        return 2;
    }
    for (int i = 0; i < AT_ONCE_MAX; i++)
        attacker.fds[i].fd = -1;
    start_ns = monotonic_ns();
    attack(&plan, &attacker, &result);
    printf("%ld %ld %ld %ld %ld %lld\n", result.sent, result.shares, result.alerts, result.other,
           result.given_up, (long long)((monotonic_ns() - start_ns) / NS_PER_MS));
    return 0;
}
