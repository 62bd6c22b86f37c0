/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/misbehave_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kme/config.h"
#include "kme/journal.h"
#include "kme/local_request.h"
#include "kme/misbehave.h"

enum { BODY_MAX_BYTES = 262144 };

const char misbehave_page_path[] = "/misbehave";

/* What is answered; the body of a refusal is its sentence. */
struct reply {
    int code;
    const char *allow;
    char why[STATUS_TEXT_BYTES];
};

static bool refuse(struct reply *reply, int code, const char *why)
{
    reply->code = code;
    snprintf(reply->why, sizeof(reply->why), "%s", why);
    return false;
}

/* Nothing a web page can send without asking first: no form has this type. */
static bool is_json(const struct http_request *request)
{
    size_t length = strcspn(request->content_type, "; \t");

    return length == strlen("application/json") &&
           strncasecmp(request->content_type, "application/json", length) == 0;
}

static bool is_known_sae(const struct env *env, const struct misbehave_request *request)
{
    const char *sae = request->rule.sae;

    return request->what != MISBEHAVE_SET || sae[0] == '\0' ||
           kme_config_sae(env->config, sae) != NULL;
}

static void note(const struct env *env, const struct http_exchange *exchange,
                 const struct misbehave_request *request)
{
    bool sets = request->what == MISBEHAVE_SET;
    const struct journal_entry entry = {
        .event = JOURNAL_MISBEHAVE,
        .method = sets ? "set" : "clear",
        .sae = sets && request->rule.sae[0] != '\0' ? request->rule.sae : NULL,
        .remote = http_exchange_remote(exchange),
        .outcome = sets ? misbehave_kind_names[request->rule.kind] : NULL};

    journal_note(env->journal, &entry);
}

static bool change(const struct env *env, const struct http_exchange *exchange, struct reply *reply)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct misbehave_request wanted;
    struct status status = STATUS_INIT;

    if (!env->config->admin.allow_misbehave)
        return refuse(reply, 403, "the configuration does not say admin.allow_misbehave = true");
    if (!is_json(request))
        return refuse(reply, 415, "Content-Type is not application/json");
    if (!misbehave_request_parse(request->body.data, request->body.length, &wanted, &status))
        return refuse(reply, 400, status.text);
    if (!is_known_sae(env, &wanted))
        return refuse(reply, 400, "sae is no SAE of this key server");
    if (!misbehave_request_apply(env->misbehave, &wanted, env->log, &status))
        return refuse(reply, 409, status.text);
    note(env, exchange, &wanted);
    return true;
}

static bool handle(const struct env *env, const struct http_exchange *exchange, struct reply *reply)
{
    const struct http_request *request = http_exchange_request(exchange);
    const char *why;

    if (!local_request_check(request, &env->config->admin.listen, &why))
        return refuse(reply, 403, why);
    if (strcmp(request->method, "POST") == 0)
        return change(env, exchange, reply);
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
        return true;
    reply->allow = "Allow: GET, HEAD, POST\r\n";
    return refuse(reply, 405, "this method is not allowed here");
}

static void put_list(const struct env *env, struct buf *body)
{
    json_t *root =
        json_pack("{s:s, s:b, s:o*}", "kme_id", env->config->kme_id, "allow_misbehave",
                  (int)env->config->admin.allow_misbehave, "rules", misbehave_json(env->misbehave));
    char *text = json_dumps(root, JSON_COMPACT);

    if (text != NULL)
        buf_put_text(body, text);
    else
        body->failed = true;
    buf_put_text(body, "\n");
    json_decref(root);
    free(text);
}

void misbehave_page(const struct env *env, struct http_exchange *exchange)
{
    struct reply reply = {200, "", ""};
    struct http_answer answer = {200, "application/json", "", NULL};
    struct buf body;

    buf_init(&body, BODY_MAX_BYTES);
    if (handle(env, exchange, &reply)) {
        put_list(env, &body);
    } else {
        answer.content_type = "text/plain; charset=utf-8";
        answer.extra = reply.allow;
        buf_put_format(&body, "%s\n", reply.why);
    }
    answer.code = body.failed ? 503 : reply.code;
    answer.body = body.failed ? NULL : &body;
    http_answer(exchange, &answer);
    buf_free(&body);
}
