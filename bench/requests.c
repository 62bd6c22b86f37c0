/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One key at a time over kept connections, through both standards in turn: ETSI 014 Get key, and
 * ETSI 004 GET_KEY on an open stream.
 *
 *     requests KME_A_014 KME_A_004 KME_B_004 PKI_FOLDER REQUESTS
 *
 * Prints "014 NANOSECONDS" and "004 NANOSECONDS" for each. alice asks at A; bob joins at B, so
 * that the stream is open at both ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "keys/client004.h"
#include "keys/client014.h"
#include "keys/settings.h"

enum { PATH_BYTES = 1024, WARM_UP = 50, LIMIT_MS = 10000 };

struct files {
    char cert[PATH_BYTES];
    char key[PATH_BYTES];
    char ca[PATH_BYTES];
};

static int die(const struct status *status)
{
    fprintf(stderr, "requests: %s\n", status->text);
    return 1;
}

static struct settings *settings_for(const char *sae, const char *peer, const char *kme,
                                     const char *folder)
{
    struct files files;
    const char *values[SETTING_COUNT] = {NULL};

    snprintf(files.cert, PATH_BYTES, "%s/%s.pem", folder, sae);
    snprintf(files.key, PATH_BYTES, "%s/%s.key", folder, sae);
    snprintf(files.ca, PATH_BYTES, "%s/ca.pem", folder);
    values[SETTING_SAE] = sae;
    values[SETTING_PEER] = peer;
    values[SETTING_KME] = kme;
    values[SETTING_CERT] = files.cert;
    values[SETTING_KEY] = files.key;
    values[SETTING_CA] = files.ca;
    return settings_new(values);
}

/* Opens or joins the stream of *stream_id. */
static bool open_stream(struct client004 *client, const char *source, const char *destination,
                        struct key_id *stream_id, struct status *status)
{
    struct deadline deadline = deadline_in_ms(LIMIT_MS);
    struct etsi004_open open = {.qos = {.key_chunk_size_bytes = 32, .ttl_s = 600}};
    struct etsi004_open_answer opened;
    struct call004 call = {.kind = CALL004_OPEN_CONNECT};

    snprintf(open.source, sizeof(open.source), "sae://%s", source);
    snprintf(open.destination, sizeof(open.destination), "sae://%s", destination);
    open.stream_id = *stream_id;
    call.request.open = &open;
    call.answer.open = &opened;
    if (!client004_call(client, &call, 1, REPEAT_NEVER, &deadline, status))
        return false;
    if (!client004_is_open(client, &opened))
        return client004_refused(client, "OPEN_CONNECT", opened.outcome, status);
    *stream_id = opened.stream_id;
    return true;
}

static bool ask014(struct client014 *client, struct status *status)
{
    struct deadline deadline = deadline_in_ms(LIMIT_MS);
    struct etsi014_container container;

    if (!client014_get_key(client, "bob", 1, 256, &deadline, &container, NULL, status))
        return false;
    etsi014_container_free(&container);
    return true;
}

static bool ask004(struct client004 *client, const struct key_id *stream_id, uint32_t index,
                   struct status *status)
{
    struct deadline deadline = deadline_in_ms(LIMIT_MS);
    struct etsi004_key_answer got;
    struct call004 call = {.kind = CALL004_GET_KEY};

    call.request.get_key = (struct etsi004_get_key){*stream_id, index, 0};
    call.answer.get_key = &got;
    if (!client004_call(client, &call, 1, REPEAT_NEVER, &deadline, status))
        return false;
    secret_free(got.key);
    return got.outcome == ETSI004_SUCCESS ||
           client004_refused(client, "GET_KEY", got.outcome, status);
}

static bool measure(struct client014 *client014, struct client004 *client004,
                    const struct key_id *stream_id, long requests, struct status *status)
{
    for (long i = 0; i < WARM_UP + requests; i++) {
        int64_t start_ns = monotonic_ns(), middle_ns;

        if (!ask014(client014, status))
            return false;
        middle_ns = monotonic_ns();
        if (!ask004(client004, stream_id, (uint32_t)i, status))
            return false;
        if (i >= WARM_UP)
            printf("014 %lld\n004 %lld\n", (long long)(middle_ns - start_ns),
                   (long long)(monotonic_ns() - middle_ns));
    }
    return true;
}

int main(int count, char **words)
{
    struct status status = STATUS_INIT;
    struct settings *alice014, *alice004, *bob004;
    struct client014 *client014;
    struct client004 *client004, *joining;
    struct key_id stream_id = {{0}};
    bool ok;

    if (count != 6)
        return 2;
    alice014 = settings_for("alice", "bob", words[1], words[4]);
    alice004 = settings_for("alice", "bob", words[2], words[4]);
    bob004 = settings_for("bob", "alice", words[3], words[4]);
    client014 = client014_new(settings_endpoint(alice014), NULL);
    client004 = client004_new(settings_endpoint(alice004), DIALECT004_W1, NULL);
    joining = client004_new(settings_endpoint(bob004), DIALECT004_W1, NULL);
    ok = open_stream(client004, "alice", "bob", &stream_id, &status) &&
         open_stream(joining, "bob", "alice", &stream_id, &status) &&
         measure(client014, client004, &stream_id, atol(words[5]), &status);
    client014_free(client014);
    client004_free(client004);
    client004_free(joining);
    settings_free(alice014);
    settings_free(alice004);
    settings_free(bob004);
    return ok ? 0 : die(&status);
}
