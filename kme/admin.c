/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/admin.h"

#include <string.h>

#include <openssl/crypto.h>

#include "kme/config.h"
#include "kme/http_server.h"
#include "kme/metrics.h"
#include "kme/service004.h"

enum { BODY_MAX_BYTES = 1048576, REQUEST_BODY_MAX_BYTES = 4096 };

struct admin {
    const struct env *env;
    const struct store *store;
    const struct link *link;
    const struct service004 *service004;
    struct http_server *server;
};

static int put_health(const struct admin *admin, struct buf *body)
{
    const struct kme_config *config = admin->env->config;

    if (!link_is_up(admin->link)) {
        buf_put_format(body, "no link to peer key server %s\n", config->link.peer_kme_id);
        return 503;
    }
    if (store_usable(admin->store, BLOCK_OURS) <
        store_blocks_for((uint32_t)config->limits.default_key_bits)) {
        buf_put_text(body, "no key material is available\n");
        return 503;
    }
    buf_put_text(body, "ok\n");
    return 200;
}

static int put_metrics(const struct admin *admin, struct buf *body)
{
    struct metrics_link link = {admin->env->config->link.peer_kme_id, link_is_up(admin->link),
                                (uint64_t)store_usable(admin->store, BLOCK_OURS) * BLOCK_BITS};

    struct metrics_streams streams = service004_streams(admin->service004);

    metrics_put(admin->env->metrics, &link, &streams, body);
    return 200;
}

static const struct {
    const char *path;
    const char *content_type;
    int (*put)(const struct admin *admin, struct buf *body);
} pages[] = {
    {"/healthz", "text/plain; charset=utf-8", put_health},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", put_metrics},
};

static void handle(void *arg, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct http_answer answer = {404, "text/plain; charset=utf-8", "", NULL};
    size_t length = strcspn(request->target, "?");
    struct buf body;

    buf_init(&body, BODY_MAX_BYTES);
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strlen(pages[i].path) != length || memcmp(pages[i].path, request->target, length) != 0)
            continue;
        if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
            answer.code = 405;
            answer.extra = "Allow: GET, HEAD\r\n";
            continue;
        }
        answer.content_type = pages[i].content_type;
        answer.code = pages[i].put(arg, &body);
    }
    if (body.failed)
        answer.code = 503;
    else
        answer.body = &body;
    http_answer(exchange, &answer);
    buf_free(&body);
}

static void opened(void *arg)
{
    (void)arg;
}

static void refuse(void *arg, const struct http_fault *fault, struct buf *body)
{
    (void)arg;
    buf_put_format(body, "%s\n", fault->message);
}

static const struct http_service http_service = {
    "admin", TLS_NONE, REQUEST_BODY_MAX_BYTES, BODY_MAX_BYTES, opened, handle, refuse};

struct admin *admin_new(const struct env *env, const struct store *store, const struct link *link,
                        const struct service004 *service004, struct status *status)
{
    struct admin *admin = OPENSSL_zalloc(sizeof(*admin));

    if (admin == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the admin side");
        return NULL;
    }
    admin->env = env;
    admin->store = store;
    admin->link = link;
    admin->service004 = service004;
    admin->server = http_server_new(env, &env->config->admin.listen, &http_service, admin, status);
    if (admin->server == NULL) {
        OPENSSL_free(admin);
        return NULL;
    }
    return admin;
}

void admin_free(struct admin *admin)
{
    if (admin == NULL)
        return;
    http_server_free(admin->server);
    OPENSSL_free(admin);
}
