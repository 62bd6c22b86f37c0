/* SPDX-License-Identifier: Apache-2.0 */
/* The key server as its files share it. Private to server*.c. */
#ifndef QKD_KME_SERVER_PARTS_H
#define QKD_KME_SERVER_PARTS_H

#include <openssl/types.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/env.h"
#include "kme/journal.h"
#include "kme/metrics.h"
#include "kme/misbehave.h"
#include "kme/notify.h"
#include "kme/peers.h"
#include "kme/service004.h"
#include "kme/service014.h"
#include "kme/sockets.h"

enum { SERVER_SIGNALS = 3 };

extern const char server_program[];

struct server {
    const char *config_path;
    struct env env;
    struct kme_config *config;
    struct tls_set *tls;
    OSSL_PROVIDER *provider;
    struct metrics metrics;
    struct peers peers;
    struct misbehave misbehave;
    struct service014 *service014;
    struct service004 *service004;
    struct admin *admin;
    struct event *signals[SERVER_SIGNALS], *expiry, *watchdog, *drain;
    struct sockets sockets;
    struct notify notify;
    size_t told_links_up;
    bool ending;
    struct deadline drained;
};

/* Makes the counters of all SAEs of a configuration. False when out of memory. */
bool server_add_saes(struct server *server, const struct kme_config *config);

/* Puts something that happened to the server itself into the journal. */
void server_note(const struct server *server, enum journal_event event, const char *outcome);

/* Watches signals and the time. */
bool server_watch(struct server *server, struct status *status);
void server_unwatch(struct server *server);

/* Tells the service manager how the links are. */
void server_tell_state(const struct server *server);

/* Reads the configuration and the files that it names again; all of it takes effect, or nothing. */
void server_reload(struct server *server);

#endif
