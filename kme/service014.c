/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/service014.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/ssl.h>

#include "base/deadline.h"
#include "kme/audience014.h"
#include "kme/call014.h"
#include "kme/config.h"
#include "kme/link.h"
#include "kme/misbehave014.h"
#include "kme/sae_rules.h"

enum { RETRY_AFTER_S = 1 };

static const char json_type[] = "application/json";

const char call014_no_material[] = "not enough key material is available";

static enum metric_outcome outcome_of(const struct etsi014_error *error)
{
    switch (error->http_status) {
    case 401:
        return METRIC_UNAUTHORISED;
    case 500:
    case 503:
        return METRIC_UNAVAILABLE;
    default:
        return strcmp(error->message, etsi014_keys_not_found) == 0 ? METRIC_NOT_FOUND
                                                                   : METRIC_BAD_REQUEST;
    }
}

static enum metric_method method_of(enum etsi014_method method)
{
    static const enum metric_method methods[] = {
        [ETSI014_GET_STATUS] = METHOD_STATUS,
        [ETSI014_GET_KEY] = METHOD_ENC_KEYS,
        [ETSI014_GET_KEY_IDS] = METHOD_DEC_KEYS,
    };

    return methods[method];
}

static void count_duration(const struct call014 *call, int64_t since_ns)
{
    histogram_add(
        &call->service->env->metrics->durations[method_of(call->route.method)][call->hold],
        monotonic_ns() - since_ns);
}

static const char *method_name(const struct call014 *call)
{
    static const char *const names[] = {
        [ETSI014_GET_STATUS] = "status",
        [ETSI014_GET_KEY] = "enc_keys",
        [ETSI014_GET_KEY_IDS] = "dec_keys",
    };

    return names[call->route.method];
}

void call014_note_keys(const struct call014 *call, enum journal_event event,
                       const struct etsi014_container *container)
{
    struct journal_entry entry = {.event = event,
                                  .api = "014",
                                  .sae = call->caller,
                                  .peer = call->route.sae,
                                  .remote = http_exchange_remote(call->exchange)};
    struct journal *journal = call->service->env->journal;

    for (size_t i = 0; journal_is_open(journal) && i < container->count; i++) {
        entry.key_id = &container->keys[i].id;
        entry.size_bits = (uint32_t)container->keys[i].key->size_bytes * 8;
        journal_note(journal, &entry);
    }
}

static void note_refusal(const struct call014 *call, const char *outcome)
{
    const struct journal_entry entry = {.event = JOURNAL_REFUSED,
                                        .api = "014",
                                        .method = method_name(call),
                                        .sae = call->caller,
                                        .peer = call->route.sae,
                                        .remote = http_exchange_remote(call->exchange),
                                        .outcome = outcome};

    journal_note(call->service->env->journal, &entry);
}

/* Of what reaches none of the three methods. */
static void note_other(const struct service014 *service, const struct http_exchange *exchange,
                       const char *outcome)
{
    const struct journal_entry entry = {.event = JOURNAL_REFUSED,
                                        .api = "014",
                                        .method = "other",
                                        .sae = identity_text(http_exchange_identity(exchange)),
                                        .remote = http_exchange_remote(exchange),
                                        .outcome = outcome};

    journal_note(service->env->journal, &entry);
}

void call014_aborted(const struct call014 *call)
{
    call->service->env->metrics->requests[method_of(call->route.method)][METRIC_ABORTED]++;
    note_refusal(call, "the SAE went away before the answer");
}

static struct http_answer error_answer(struct service014 *service,
                                       const struct etsi014_error *error, const char *extra)
{
    struct http_answer answer = {error->http_status, NULL, extra, NULL};

    if (error->http_status != 401) {
        etsi014_error_put(&service->body, error);
        answer.content_type = json_type;
        answer.body = &service->body;
    }
    return answer;
}

void call014_answer(const struct call014 *call)
{
    struct service014 *service = call->service;
    struct http_answer answer = {200, json_type, "", &service->body};
    int64_t since_ns = http_exchange_since_ns(call->exchange);
    struct etsi014_error error;

    if (service->body.failed) {
        buf_reset(&service->body);
        etsi014_refuse(&error, 503, "out of memory for the answer");
        call014_refuse(call, &error);
        return;
    }
    service->env->metrics->requests[method_of(call->route.method)][METRIC_OK]++;
    misbehave014_answer(call, &answer, &service->body);
    buf_reset(&service->body);
    count_duration(call, since_ns);
}

void call014_answer_keys(const struct call014 *call, enum metric_role role,
                         struct etsi014_container *container)
{
    misbehave014_keys(call, container);
    metrics_count_keys(call->service->env->metrics, API_014, call->caller, role, container->count);
    call014_note_keys(call, role == ROLE_INITIATOR ? JOURNAL_RESERVE : JOURNAL_CLAIM, container);
    etsi014_container_put(&call->service->body, container);
    call014_answer(call);
}

void call014_refuse(const struct call014 *call, const struct etsi014_error *error)
{
    struct service014 *service = call->service;
    int64_t since_ns = http_exchange_since_ns(call->exchange);
    struct etsi014_error told = *error;
    struct http_answer answer;
    char extra[32] = "";

    misbehave014_error(call, &told);
    service->env->metrics->requests[method_of(call->route.method)][outcome_of(&told)]++;
    log_line(service->env->log, LOG_LEVEL_DEBUG, "'%s' was answered %d: %s", call->caller,
             told.http_status, told.message);
    note_refusal(call, told.message);
    if (told.http_status == 503)
        snprintf(extra, sizeof(extra), "Retry-After: %d\r\n",
                 told.retry_after_s > 0 ? told.retry_after_s : RETRY_AFTER_S);
    answer = error_answer(service, &told, extra);
    misbehave014_answer(call, &answer, &service->body);
    buf_reset(&service->body);
    count_duration(call, since_ns);
}

/* For requests that reach none of the three methods. */
static void refuse_other(struct service014 *service, struct http_exchange *exchange,
                         const struct etsi014_error *error, const char *extra)
{
    int64_t since_ns = http_exchange_since_ns(exchange);
    struct http_answer answer = error_answer(service, error, extra);

    service->env->metrics->requests[METHOD_OTHER][outcome_of(error)]++;
    note_other(service, exchange, error->message);
    http_answer(exchange, &answer);
    buf_reset(&service->body);
    histogram_add(&service->env->metrics->durations[METHOD_OTHER][ANSWERED_AT_ONCE],
                  monotonic_ns() - since_ns);
}

/* A missing Content-Type is accepted, as on an empty body. */
static bool is_json(const struct http_request *request)
{
    size_t length = strcspn(request->content_type, "; \t");

    return length == 0 || request->body.length == 0 ||
           (length == strlen(json_type) &&
            strncasecmp(request->content_type, json_type, length) == 0);
}

static bool find_route(struct call014 *call, char *extra, size_t room, struct etsi014_error *error)
{
    const struct http_request *request = http_exchange_request(call->exchange);
    struct route014 *route = &call->route;
    const char *allow = "";

    extra[0] = '\0';
    switch (route014_parse(request->target, route)) {
    case ROUTE_FOUND:
        break;
    case ROUTE_NOT_FOUND:
        return etsi014_refuse(error, 404, "there is nothing at this path");
    case ROUTE_BAD:
        return etsi014_refuse(error, 400, "the SAE ID in the URL is not properly encoded");
    }
    if (route->trailing_slash != misbehave014_wants_slash(call))
        return etsi014_refuse(error, 404, "there is nothing at this path");
    if (!route014_allows(route->method, request->method, &allow)) {
        snprintf(extra, room, "Allow: %s\r\n", allow);
        return etsi014_refuse(error, 405, "this method is not allowed here");
    }
    if (strcmp(request->method, "POST") == 0 && !is_json(request))
        return etsi014_refuse(error, 400, "Content-Type is not application/json");
    return true;
}

void call014_run(const struct call014 *call)
{
    static void (*const methods[])(const struct call014 *) = {
        [ETSI014_GET_STATUS] = status014,
        [ETSI014_GET_KEY] = reserve014,
        [ETSI014_GET_KEY_IDS] = claim014,
    };

    methods[call->route.method](call);
}

static void handle(void *arg, struct http_exchange *exchange)
{
    struct service014 *service = arg;
    const struct identity *identity = http_exchange_identity(exchange);
    struct call014 call = {service, exchange, NULL, {0}, ANSWERED_AT_ONCE};
    struct etsi014_error error;
    char extra[64] = "", why[SAE_RULES_WHY_BYTES];

    call.caller = sae_rules_find(service->env->config, identity, why);
    if (call.caller == NULL) {
        log_line(service->env->log, LOG_LEVEL_INFO,
                 "a request with the certificate of '%s', %s, was refused", identity_text(identity),
                 why);
        etsi014_refuse(&error, 401, "not an SAE of this key server");
        refuse_other(service, exchange, &error, extra);
    } else if (!find_route(&call, extra, sizeof(extra), &error)) {
        refuse_other(service, exchange, &error, extra);
    } else {
        metrics_saw_sae(service->env->metrics, call.caller, http_exchange_since_ns(exchange));
        if (!misbehave014_takes(&call))
            call014_run(&call);
    }
}

static void opened(void *arg, SSL *tls)
{
    struct service014 *service = arg;

    metrics_connected(service->env->metrics, API_014, SSL_session_reused(tls) == 1);
}

static void refuse(void *arg, const struct http_exchange *exchange, const struct http_fault *fault,
                   struct buf *body)
{
    struct service014 *service = arg;
    struct etsi014_error error;

    etsi014_refuse(&error, fault->code, "%s", fault->message);
    etsi014_error_put(body, &error);
    service->env->metrics->requests[METHOD_OTHER][METRIC_BAD_REQUEST]++;
    note_other(service, exchange, fault->message);
}

static const struct http_service http_service = {
    "ETSI 014", TLS_SERVER_014, ETSI014_REQUEST_MAX_BYTES, ETSI014_RESPONSE_MAX_BYTES, opened,
    handle,     refuse};

static const struct link_keys link_keys = {claim014_assigned, held_request014_stocked,
                                           held_keys014_told};

static void listen_to_links(struct service014 *service, const struct link_keys *keys)
{
    for (size_t i = 0; i < service->peers->count; i++)
        link_on_keys(service->peers->items[i].link, keys, service);
}

struct service014 *service014_new(const struct env *env, struct peers *peers, struct status *status)
{
    struct service014 *service = OPENSSL_zalloc(sizeof(*service));

    if (service == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the ETSI 014 service");
        return NULL;
    }
    service->env = env;
    service->peers = peers;
    TAILQ_INIT(&service->held_claims);
    TAILQ_INIT(&service->held_keys);
    TAILQ_INIT(&service->held_requests);
    buf_init(&service->body, ETSI014_RESPONSE_MAX_BYTES);
    service->server =
        http_server_new(env, &env->config->etsi014.listen, &http_service, service, status);
    if (service->server == NULL) {
        service014_free(service);
        return NULL;
    }
    listen_to_links(service, &link_keys);
    return service;
}

void service014_free(struct service014 *service)
{
    if (service == NULL)
        return;
    listen_to_links(service, NULL);
    http_server_free(service->server); /* aborts what is held */
    buf_free(&service->body);
    OPENSSL_free(service);
}

void service014_drain(struct service014 *service)
{
    http_server_drain(service->server);
}

bool service014_is_idle(const struct service014 *service)
{
    return http_server_is_idle(service->server);
}
