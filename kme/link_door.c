/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/link_door.h"

#include <string.h>
#include <sys/queue.h>

#include <openssl/crypto.h>

#include "kme/config.h"
#include "kme/identity.h"
#include "kme/link.h"
#include "kme/listener.h"
#include "kme/peers.h"
#include "kme/sae_rules.h"
#include "kme/stream.h"

enum { STRANGERS_MAX = 16 /* the oldest makes room */ };

struct stranger {
    struct link_door *door;
    struct stream *stream;
    TAILQ_ENTRY(stranger) next;
};

struct link_door {
    const struct env *env;
    const struct peers *peers;
    struct listener *listener;
    char address[ADDRESS_TEXT_BYTES];
    TAILQ_HEAD(, stranger) strangers;
    size_t count;
    bool told_failure;
};

static void forget(struct stranger *stranger)
{
    TAILQ_REMOVE(&stranger->door->strangers, stranger, next);
    stranger->door->count--;
    OPENSSL_free(stranger);
}

static void drop(struct stranger *stranger)
{
    stream_free(stranger->stream);
    forget(stranger);
}

/* The one link whose peer this is; NULL, and why, if it is none's or several's. */
static struct link *find_link(const struct link_door *door, const struct identity *identity,
                              const char **why)
{
    struct link *found = NULL;

    *why = "is no peer's";
    for (size_t i = 0; i < door->peers->count; i++) {
        const struct peer *peer = &door->peers->items[i];
        const struct config_link *config = peer_config(door->env, peer);

        if (!link_listens(peer->link) || strcmp(config->listen.text, door->address) != 0 ||
            !sae_rules_is_peer(config, identity))
            continue;
        if (found != NULL) {
            *why = "fits several peers";
            return NULL;
        }
        found = peer->link;
    }
    return found;
}

static void on_opened(void *arg, SSL *tls)
{
    struct stranger *stranger = arg;
    struct link_door *door = stranger->door;
    struct stream *stream = stranger->stream;
    const char *why;
    struct identity *identity = identity_read(tls, &why);
    struct link *link = identity != NULL ? find_link(door, identity, &why) : NULL;

    if (link == NULL)
        log_line(door->env->log, LOG_LEVEL_WARN, "links at %s: the certificate of '%s' %s",
                 door->address, identity_text(identity), why);
    identity_free(identity);
    forget(stranger);
    if (link == NULL) {
        stream_free(stream);
        return;
    }
    door->told_failure = false;
    link_accept(link, stream);
}

static void on_received(void *arg, struct buf *input)
{
    (void)arg;
    (void)input;
}

static void on_drained(void *arg)
{
    (void)arg;
}

/* The first failure of a series is worth a line. */
static void on_closed(void *arg, const char *reason)
{
    struct stranger *stranger = arg;
    struct link_door *door = stranger->door;

    log_line(door->env->log, door->told_failure ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
             "links at %s: a connection was of no use: %s", door->address,
             reason[0] != '\0' ? reason : "closed by the other side");
    door->told_failure = true;
    drop(stranger);
}

static const struct stream_events stranger_events = {on_opened, on_received, on_drained, on_closed};

static void on_accept(void *arg, int fd)
{
    struct link_door *door = arg;
    struct stranger *stranger = OPENSSL_zalloc(sizeof(*stranger));
    struct stream *stream =
        link_stream_new(door->env, fd, STREAM_ACCEPTED, &stranger_events, stranger);

    if (stranger == NULL || stream == NULL) {
        stream_free(stream);
        OPENSSL_free(stranger);
        return;
    }
    stranger->door = door;
    stranger->stream = stream;
    TAILQ_INSERT_TAIL(&door->strangers, stranger, next);
    if (++door->count > STRANGERS_MAX)
        drop(TAILQ_FIRST(&door->strangers));
}

struct link_door *link_door_new(const struct env *env, const struct peers *peers,
                                const struct address *address, struct status *status)
{
    struct link_door *door = OPENSSL_zalloc(sizeof(*door));

    if (door == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for links");
        return NULL;
    }
    door->env = env;
    door->peers = peers;
    memcpy(door->address, address->text, sizeof(door->address));
    TAILQ_INIT(&door->strangers);
    door->listener = listener_new(env, address, on_accept, door, status);
    if (door->listener == NULL) {
        link_door_free(door);
        return NULL;
    }
    return door;
}

void link_door_free(struct link_door *door)
{
    if (door == NULL)
        return;
    listener_free(door->listener);
    while (!TAILQ_EMPTY(&door->strangers))
        drop(TAILQ_FIRST(&door->strangers));
    OPENSSL_free(door);
}

const char *link_door_address(const struct link_door *door)
{
    return door->address;
}
