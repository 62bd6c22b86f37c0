/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/admin.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/http_server.h"
#include "kme/journal.h"
#include "kme/link.h"
#include "kme/local_request.h"
#include "kme/metrics.h"
#include "kme/misbehave.h"
#include "kme/misbehave_page.h"
#include "kme/overview.h"
#include "kme/page.h"
#include "kme/shelf.h"
#include "kme/state004.h"
#include "kme/store.h"

enum { BODY_MAX_BYTES = 2097152, HEALTH_MAX_BYTES = 65536, REQUEST_BODY_MAX_BYTES = 4096 };

struct admin {
    const struct env *env;
    const struct peers *peers;
    struct http_server *server;
    int64_t started_ns;
    struct page page;
};

static int put_health(const struct admin *admin, struct buf *body)
{
    size_t least = store_blocks_for((uint32_t)admin->env->config->limits.default_key_bits);
    struct shelf *shelf = admin->env->shelf;
    struct status status = STATUS_INIT;
    int code = 200;

    if (shelf != NULL && !shelf_ok(shelf, &status)) {
        buf_put_format(body, "%s\n", status.text);
        code = 503;
    }
    for (size_t i = 0; i < admin->peers->count; i++) {
        const struct peer *peer = &admin->peers->items[i];

        if (!link_is_up(peer->link))
            buf_put_format(body, "no link to peer key server %s\n", peer->kme_id);
        else if (store_available(peer->store, BLOCK_OURS) < least)
            buf_put_format(body, "no key material is available on the link to %s\n", peer->kme_id);
        else
            continue;
        code = 503;
    }
    if (code == 200)
        buf_put_text(body, "ok\n");
    return code;
}

static struct metrics_link look_at(const struct peer *peer)
{
    const struct store *store = peer->store;
    uint64_t resting = store_blocks(store, BLOCK_OURS, SEGMENT_RESTING) +
                       store_blocks(store, BLOCK_PEERS, SEGMENT_RESTING);

    return (struct metrics_link){
        .peer = peer->kme_id,
        .counters = &peer->counters,
        .up = link_is_up(peer->link),
        .available_bits = (uint64_t)store_available(store, BLOCK_OURS) * BLOCK_BITS,
        .open_bits = (store_unassigned(store) - resting) * BLOCK_BITS,
        .resting_bits = resting * BLOCK_BITS,
    };
}

static int put_metrics(const struct admin *admin, struct buf *body)
{
    const struct peers *peers = admin->peers;
    struct metrics_streams streams = {state004_names, peers->catalogue.counts, STATE004_DEAD};
    struct metrics_link links[CONFIG_LINKS_MAX];
    struct shelf_counts counts;

    for (size_t i = 0; i < peers->count; i++)
        links[i] = look_at(&peers->items[i]);
    metrics_put(admin->env->metrics, links, peers->count, &streams, body);
    metrics_put_audit_lost(journal_lost(admin->env->journal), body);
    if (admin->env->shelf != NULL) {
        shelf_counts(admin->env->shelf, &counts);
        metrics_put_shelf(&counts, body);
    }
    misbehave_put_metrics(admin->env->misbehave, body);
    return 200;
}

static int put_state(const struct admin *admin, struct buf *body)
{
    struct overview_health health;
    struct buf reasons;

    buf_init(&reasons, HEALTH_MAX_BYTES);
    health.ok = put_health(admin, &reasons) == 200;
    health.reasons = &reasons;
    overview_put(admin->env, admin->peers, &health, admin->started_ns, body);
    buf_free(&reasons);
    return 200;
}

static int put_page(const struct admin *admin, struct buf *body)
{
    buf_put(body, admin->page.html.data, admin->page.html.length);
    return 200;
}

static const struct page_row {
    const char *path;
    const char *content_type;
    bool for_browsers; /* so that a page of others must not get it by a name of theirs */
    int (*put)(const struct admin *admin, struct buf *body);
} rows[] = {
    {"/healthz", "text/plain; charset=utf-8", false, put_health},
    {"/", "text/html; charset=utf-8", true, put_page},
    {"/state.json", "application/json", true, put_state},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", false, put_metrics},
};

static const struct page_row *find_row(const char *target)
{
    size_t length = strcspn(target, "?");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strlen(rows[i].path) == length && memcmp(rows[i].path, target, length) == 0)
            return &rows[i];
    return NULL;
}

static void put_row(const struct admin *admin, const struct page_row *row,
                    const struct http_request *request, struct http_answer *answer,
                    struct buf *body)
{
    const char *why;

    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        answer->code = 405;
        answer->extra = "Allow: GET, HEAD\r\n";
    } else if (row->for_browsers &&
               !local_request_check(request, &admin->env->config->admin.listen, &why)) {
        answer->code = 403;
        buf_put_format(body, "%s\n", why);
    } else {
        answer->content_type = row->content_type;
        answer->extra = admin->page.headers;
        answer->code = row->put(admin, body);
    }
}

static void handle(void *arg, struct http_exchange *exchange)
{
    const struct admin *admin = arg;
    const struct http_request *request = http_exchange_request(exchange);
    const struct page_row *row = find_row(request->target);
    struct http_answer answer = {404, "text/plain; charset=utf-8", "", NULL};
    struct buf body;

    if (strcmp(request->target, misbehave_page_path) == 0) {
        misbehave_page(admin->env, exchange);
        return;
    }
    buf_init(&body, BODY_MAX_BYTES);
    if (row != NULL)
        put_row(admin, row, request, &answer, &body);
    if (body.failed)
        answer.code = 503;
    else
        answer.body = &body;
    http_answer(exchange, &answer);
    buf_free(&body);
}

static void opened(void *arg, SSL *tls)
{
    (void)arg;
    (void)tls;
}

static void refuse(void *arg, const struct http_exchange *exchange, const struct http_fault *fault,
                   struct buf *body)
{
    (void)arg;
    (void)exchange;
    buf_put_format(body, "%s\n", fault->message);
}

static const struct http_service http_service = {
    "admin", TLS_NONE, REQUEST_BODY_MAX_BYTES, BODY_MAX_BYTES, opened, handle, refuse};

struct admin *admin_new(const struct env *env, const struct peers *peers, struct status *status)
{
    struct admin *admin = OPENSSL_zalloc(sizeof(*admin));

    if (admin == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the admin side");
        return NULL;
    }
    admin->env = env;
    admin->peers = peers;
    admin->started_ns = monotonic_ns();
    if (page_make(&admin->page, env, status))
        admin->server =
            http_server_new(env, &env->config->admin.listen, &http_service, admin, status);
    if (admin->server == NULL) {
        admin_free(admin);
        return NULL;
    }
    return admin;
}

void admin_free(struct admin *admin)
{
    if (admin == NULL)
        return;
    http_server_free(admin->server);
    page_free(&admin->page);
    OPENSSL_free(admin);
}
