/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on two linked key servers, over kept connections: alice at A, bob at B.
 *
 *     kme A_014_PORT A_004_PORT B_014_PORT B_004_PORT PKI_FOLDER CONNECTIONS
 *
 * Prints "ready", then reads commands, one a line, and prints for each
 * "ANSWERS REFUSED KEYS BUSY_NS P50_NS P99_NS":
 *
 *     enc_keys NUMBER MS    alice reserves so many keys a request
 *     dec_keys NUMBER MS    bob claims so many keys a request; reserving them is not measured
 *     get_key 1 MS          both read positions of a stream for each connection
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "base/deadline.h"
#include "bench/load.h"
#include "etsi/etsi004.h"

#define NS_PER_MS INT64_C(1000000)

enum { ID_BYTES = KEY_ID_TEXT_CHARS + 1, NAME_BYTES = 16 };

enum { POOL_KEYS = 4096, RESERVE_AT_ONCE = 64, CHUNK_BYTES = 32, TTL_S = 86400, PATH_BYTES = 1024 };

struct pool {
    char ids[POOL_KEYS][ID_BYTES];
    size_t count;
};

struct sides {
    struct load_client alice014[LOAD_CLIENTS_MAX], bob014[LOAD_CLIENTS_MAX];
    struct load_client both004[LOAD_CLIENTS_MAX]; /* alice, bob, alice, bob … */
    size_t count;
    struct pool pool;
    int number;
};

/* --- ETSI 014 ------------------------------------------------------------------------------- */

/* The length of the answer at the front, 0 while it is not whole. */
static bool http_whole(const struct buf *in, size_t *length)
{
    const char *end, *header;
    size_t head;

    *length = 0;
    if (in->length == 0)
        return true;
    end = memmem(in->data, in->length, "\r\n\r\n", 4);
    if (end == NULL)
        return true;
    head = (size_t)(end - (const char *)in->data) + 4;
    header = memmem(in->data, head, "Content-Length: ", 16);
    if (header == NULL)
        return false;
    head += (size_t)strtoul(header + 16, NULL, 10);
    if (head <= in->length)
        *length = head;
    return true;
}

/* Remembers the key IDs of an answer; how many there are. */
static size_t read_ids(const struct buf *in, size_t length, struct pool *pool)
{
    const char *at = (const char *)in->data, *end = at + length, *found;
    static const char mark[] = "\"key_ID\":\"";
    size_t count = 0;

    while ((found = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1)) != NULL) {
        at = found + sizeof(mark) - 1;
        count++;
        if (pool != NULL && pool->count < POOL_KEYS && end - at >= ID_BYTES) {
            memcpy(pool->ids[pool->count], at, ID_BYTES - 1);
            pool->ids[pool->count++][ID_BYTES - 1] = '\0';
        }
    }
    return count;
}

static bool take014(struct load_client *client, struct pool *pool, struct load_answer *answer)
{
    if (!http_whole(&client->in, &answer->length))
        return false;
    if (answer->length > 0)
        answer->keys = read_ids(&client->in, answer->length, pool);
    return true;
}

static bool take_counting(struct load *load, struct load_client *client, struct load_answer *answer)
{
    (void)load;
    return take014(client, NULL, answer);
}

static bool take_into_pool(struct load *load, struct load_client *client,
                           struct load_answer *answer)
{
    struct sides *sides = load->arg;

    return take014(client, &sides->pool, answer);
}

static void put_reservation(struct load_client *client, int number)
{
    buf_put_format(&client->out,
                   "GET /api/v1/keys/bob/enc_keys?number=%d HTTP/1.1\r\nHost: localhost\r\n\r\n",
                   number);
}

static bool ask_reserve(struct load *load, struct load_client *client)
{
    const struct sides *sides = load->arg;

    put_reservation(client, sides->number);
    return true;
}

static bool ask_fill(struct load *load, struct load_client *client)
{
    const struct sides *sides = load->arg;

    if (sides->pool.count + RESERVE_AT_ONCE * sides->count > POOL_KEYS)
        return false;
    put_reservation(client, RESERVE_AT_ONCE);
    return true;
}

static bool ask_claim(struct load *load, struct load_client *client)
{
    struct sides *sides = load->arg;
    struct pool *pool = &sides->pool;
    struct buf body;

    if (pool->count < (size_t)sides->number)
        return false;
    buf_init(&body, LOAD_ANSWER_MAX_BYTES);
    for (int i = 0; i < sides->number; i++)
        buf_put_format(&body, "%s{\"key_ID\":\"%s\"}", i > 0 ? "," : "", pool->ids[--pool->count]);
    buf_put_format(&client->out,
                   "POST /api/v1/keys/alice/dec_keys HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n"
                   "{\"key_IDs\":[",
                   body.length + strlen("{\"key_IDs\":[]}"));
    buf_put(&client->out, body.data, body.length);
    buf_put_text(&client->out, "]}");
    buf_free(&body);
    return true;
}

static bool reserve(struct sides *sides, struct load *load, int64_t for_ns)
{
    load->ask = ask_reserve;
    load->take = take_counting;
    return load_run(load, sides->alice014, sides->count, monotonic_ns() + for_ns);
}

/* Rounds of reserving, unmeasured, and claiming. */
static bool claim(struct sides *sides, struct load *load, int64_t for_ns)
{
    while (load->busy_ns < for_ns) {
        struct load filling = {.ask = ask_fill,
                               .take = take_into_pool,
                               .arg = sides,
                               .samples_ns = load->samples_ns + load->sample_count};

        sides->pool.count = 0;
        if (load->sample_count + POOL_KEYS > LOAD_SAMPLES_MAX)
            return true;
        if (!load_run(&filling, sides->alice014, sides->count, INT64_MAX))
            return false;
        load->ask = ask_claim;
        load->take = take_counting;
        if (!load_run(load, sides->bob014, sides->count, INT64_MAX))
            return false;
    }
    return true;
}

/* --- ETSI 004 ------------------------------------------------------------------------------- */

static bool frame_whole(const struct buf *in, size_t *length)
{
    struct etsi004_frame frame;
    enum etsi004_framing framing = etsi004_frame_take(in, &frame);

    *length = framing == ETSI004_COMPLETE ? ETSI004_HEADER_BYTES + frame.payload_bytes : 0;
    return framing != ETSI004_TOO_LARGE;
}

static bool ask_get_key(struct load *load, struct load_client *client)
{
    struct etsi004_get_key get_key = {client->stream_id, client->index++, 0};

    (void)load;
    etsi004_get_key_put(&client->out, ETSI004_W1, &get_key);
    return true;
}

static bool take_key(struct load *load, struct load_client *client, struct load_answer *answer)
{
    static struct etsi004_key_answer key; /* large; there is one thread */
    struct status status = STATUS_INIT;
    struct etsi004_frame frame;

    (void)load;
    if (!frame_whole(&client->in, &answer->length))
        return false;
    if (answer->length == 0)
        return true;
    etsi004_frame_take(&client->in, &frame);
    if (!etsi004_key_answer_parse(&frame, ETSI004_W1, &key, &status))
        return false;
    answer->keys = key.outcome == ETSI004_SUCCESS;
    secret_free(key.key);
    return true;
}

static bool open_stream(struct load_client *client, const char *from, const char *to,
                        const struct key_id *stream_id)
{
    struct etsi004_open open = {.qos = {.key_chunk_size_bytes = CHUNK_BYTES, .ttl_s = TTL_S},
                                .stream_id = *stream_id};
    struct etsi004_open_answer answer;
    struct status status = STATUS_INIT;
    struct etsi004_frame frame;

    snprintf(open.source, sizeof(open.source), "sae://%s", from);
    snprintf(open.destination, sizeof(open.destination), "sae://%s", to);
    etsi004_open_put(&client->out, ETSI004_W1, &open);
    if (!load_exchange(client, frame_whole))
        return false;
    etsi004_frame_take(&client->in, &frame);
    if (!etsi004_open_answer_parse(&frame, ETSI004_W1, &answer, &status) ||
        (answer.outcome != ETSI004_SUCCESS && answer.outcome != ETSI004_PEER_NOT_YET_CONNECTED)) {
        fprintf(stderr, "kme: cannot open a stream: %s\n",
                status.outcome != OUTCOME_OK ? status.text : etsi004_outcome_text(answer.outcome));
        return false;
    }
    client->stream_id = answer.stream_id;
    buf_reset(&client->in);
    return true;
}

static bool read_streams(struct sides *sides, struct load *load, int64_t for_ns)
{
    load->ask = ask_get_key;
    load->take = take_key;
    return load_run(load, sides->both004, sides->count, monotonic_ns() + for_ns);
}

/* --- The program ---------------------------------------------------------------------------- */

static SSL_CTX *tls_of(const char *folder, const char *sae)
{
    char cert[PATH_BYTES], key[PATH_BYTES], ca[PATH_BYTES];
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    snprintf(cert, sizeof(cert), "%s/%s.pem", folder, sae);
    snprintf(key, sizeof(key), "%s/%s.key", folder, sae);
    snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_file(tls, ca) != 1) {
        fprintf(stderr, "kme: the files of %s in %s do not do\n", sae, folder);
        exit(1);
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(tls, 1);
    return tls;
}

static bool connect_all(struct sides *sides, char **words)
{
    SSL_CTX *alice = tls_of(words[4], "alice"), *bob = tls_of(words[4], "bob");
    static const struct key_id nobody;
    bool good = true;

    for (size_t i = 0; good && i < sides->count; i++)
        good = load_connect(&sides->alice014[i], alice, atoi(words[0])) &&
               load_connect(&sides->bob014[i], bob, atoi(words[2]));
    for (size_t i = 0; good && i + 1 < sides->count; i += 2) {
        struct load_client *near = &sides->both004[i], *far = &sides->both004[i + 1];

        good = load_connect(near, alice, atoi(words[1])) &&
               load_connect(far, bob, atoi(words[3])) &&
               open_stream(near, "alice", "bob", &nobody) &&
               open_stream(far, "bob", "alice", &near->stream_id);
    }
    SSL_CTX_free(alice);
    SSL_CTX_free(bob);
    return good;
}

static int by_size(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

    return (a > b) - (a < b);
}

static void print_result(struct load *load)
{
    size_t count = load->sample_count;

    qsort(load->samples_ns, count, sizeof(*load->samples_ns), by_size);
    printf("%zu %zu %zu %lld %lld %lld\n", load->answers, load->refused, load->keys,
           (long long)load->busy_ns, count > 0 ? (long long)load->samples_ns[count / 2] : 0,
           count > 0 ? (long long)load->samples_ns[count * 99 / 100] : 0);
    fflush(stdout);
}

static bool obey(struct sides *sides, const char *line, int64_t *samples_ns)
{
    static const struct {
        const char *name;
        bool (*run)(struct sides *, struct load *, int64_t for_ns);
    } commands[] = {{"enc_keys", reserve}, {"dec_keys", claim}, {"get_key", read_streams}};
    struct load load = {.arg = sides, .samples_ns = samples_ns};
    char name[NAME_BYTES];
    int ms = 0;

    if (sscanf(line, "%15s %d %d", name, &sides->number, &ms) == 3)
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
            if (strcmp(name, commands[i].name) != 0)
                continue;
            if (!commands[i].run(sides, &load, ms * NS_PER_MS))
                return false;
            print_result(&load);
            return true;
        }
    fprintf(stderr, "kme: this is no command: %s\n", line);
    return false;
}

int main(int count, char **words)
{
    static struct sides sides;
    static int64_t samples_ns[LOAD_SAMPLES_MAX];
    char line[64];
    bool good;

    if (count != 7 || atoi(words[6]) < 2 || atoi(words[6]) > LOAD_CLIENTS_MAX ||
        atoi(words[6]) % 2 != 0) {
        fprintf(stderr,
                "usage: kme A_014_PORT A_004_PORT B_014_PORT B_004_PORT PKI_FOLDER "
                "CONNECTIONS (even, 2 to %d)\n",
                LOAD_CLIENTS_MAX);
        return 2;
    }
    sides.count = (size_t)atoi(words[6]);
    good = connect_all(&sides, words + 1);
    if (good) {
        puts("ready");
        fflush(stdout);
    }
    while (good && fgets(line, sizeof(line), stdin) != NULL)
        good = obey(&sides, line, samples_ns);
    for (size_t i = 0; i < sides.count; i++) {
        load_disconnect(&sides.alice014[i]);
        load_disconnect(&sides.bob014[i]);
        load_disconnect(&sides.both004[i]);
    }
    return good ? 0 : 1;
}
