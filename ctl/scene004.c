/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/scene004.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "ctl/line004.h"

enum { CLOSING_MS = 3000, CLOSINGS_AT_ONCE = 50 };

struct scene004 *scene004_new(const struct cast004 *cast)
{
    struct scene004 *scene = OPENSSL_zalloc(sizeof(*scene));

    if (scene != NULL)
        scene->cast = cast;
    return scene;
}

/* Closes up to CLOSINGS_AT_ONCE streams of one end in one go; how many of the list it took. W2 has
 * a connection for each call. */
static size_t close_some(struct scene004 *scene, size_t first, const struct deadline *deadline)
{
    enum end004 end = scene->opened[first].end;
    enum etsi004_profile profile = scene004_profile(scene);
    size_t limit = profile == ETSI004_W2 ? 1 : CLOSINGS_AT_ONCE, count = 0;
    struct connection *connection;
    struct status status = STATUS_INIT;
    struct buf octets;
    bool ended = false;

    buf_init(&octets, ETSI004_PAYLOAD_MAX_BYTES);
    while (count < limit && first + count < scene->opened_count &&
           scene->opened[first + count].end == end)
        etsi004_close_put(&octets, profile, &scene->opened[first + count++].id);
    connection = connection_open(scene->cast->endpoints[end], deadline, &status);
    if (connection != NULL && !octets.failed &&
        connection_send(connection, octets.data, octets.length, deadline, &status)) {
        size_t expected = count * (ETSI004_HEADER_BYTES + sizeof(uint32_t));

        buf_reset(&octets);
        while (octets.length < expected && !ended &&
               connection_receive(connection, &octets, &ended, deadline, &status))
            continue;
    }
    connection_close(connection);
    buf_free(&octets);
    return count;
}

static void close_streams(struct scene004 *scene)
{
    struct deadline deadline = deadline_in_ms(CLOSING_MS);

    for (size_t i = 0; i < scene->opened_count && !deadline_passed(&deadline);)
        i += close_some(scene, i, &deadline);
}

void scene004_free(struct scene004 *scene)
{
    if (scene == NULL)
        return;
    for (size_t i = 0; i < scene->line_count; i++)
        line004_free(scene->lines[i]);
    close_streams(scene);
    for (size_t i = 0; i < scene->key_count; i++)
        secret_free(scene->keys[i]);
    OPENSSL_free(scene);
}

bool scene004_skip(struct scene004 *scene, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(scene->skip, sizeof(scene->skip), format, args);
    va_end(args);
    return true;
}

bool scene004_skipped(const struct scene004 *scene)
{
    return scene->skip[0] != '\0';
}

void scene004_note(struct scene004 *scene, const char *text)
{
    snprintf(scene->note, sizeof(scene->note), "%s", text);
}

bool scene004_is_qubip(const struct scene004 *scene)
{
    return scene->cast->dialect == DIALECT004_QUBIP;
}

enum etsi004_profile scene004_profile(const struct scene004 *scene)
{
    return scene->cast->dialect == DIALECT004_W2 ? ETSI004_W2 : ETSI004_W1;
}

const char *end004_text(enum end004 end)
{
    static const char *const texts[END_COUNT] = {
        [END_INITIATOR] = "the initiator's key server",
        [END_RESPONDER] = "the responder's key server",
        [END_STRANGER] = "the stranger's key server",
    };

    return texts[end];
}

struct etsi004_open scene004_wish(const struct scene004 *scene, enum end004 end)
{
    /* Some servers of the field compare the URIs as the first caller wrote them. */
    bool swapped = end == END_RESPONDER && !scene004_is_qubip(scene);
    struct etsi004_open open = {.qos = {.key_chunk_size_bytes = SCENE_CHUNK_BYTES,
                                        .timeout_ms = SCENE_LONG_MS,
                                        .metadata_mimetype = "application/json"}};

    snprintf(open.source, sizeof(open.source), "%s", scene->cast->uris[swapped ? 1 : 0]);
    snprintf(open.destination, sizeof(open.destination), "%s", scene->cast->uris[swapped ? 0 : 1]);
    return open;
}

bool new_stream_id(struct key_id *id, struct status *status)
{
    if (RAND_bytes(id->octets, sizeof(id->octets)) != 1)
        return status_fail(status, OUTCOME_INTERNAL, "no randomness for a stream ID");
    id->octets[6] = (uint8_t)(0x40 | (id->octets[6] & 0x0f)); /* version 4 of RFC 4122 */
    id->octets[8] = (uint8_t)(0x80 | (id->octets[8] & 0x3f)); /* its variant */
    return true;
}

bool scene004_pair(struct scene004 *scene, const struct etsi004_qos *qos, struct pair004 *pair,
                   struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    for (int end = END_INITIATOR; end <= END_RESPONDER; end++) {
        pair->lines[end] = line004_new(scene, (enum end004)end, status);
        if (pair->lines[end] == NULL)
            return false;
    }
    if (qos != NULL)
        open.qos = *qos;
    if (!line004_open(pair->lines[END_INITIATOR], &open, &reply, status) ||
        !expect_open(&reply, "OPEN_CONNECT of the initiator", status))
        return false;
    pair->id = reply.stream_id;
    pair->qos = reply.qos;
    open = scene004_wish(scene, END_RESPONDER);
    open.stream_id = pair->id;
    if (qos != NULL)
        open.qos = *qos;
    return line004_open(pair->lines[END_RESPONDER], &open, &reply, status) &&
           expect_open(&reply, "OPEN_CONNECT of the responder", status);
}

bool scene004_pair_of_ttl(struct scene004 *scene, uint32_t ttl_s, struct pair004 *pair,
                          struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;

    qos.ttl_s = ttl_s;
    if (!scene004_pair(scene, &qos, pair, status))
        return false;
    return pair->qos.ttl_s <= ttl_s ||
           scene004_skip(scene, "the key server grants no TTL below %u s",
                         (unsigned)pair->qos.ttl_s);
}
