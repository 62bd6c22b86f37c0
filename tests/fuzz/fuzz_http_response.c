/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "net/http.h"

#define HEAD "HTTP/1.1 200 OK\r\n"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(HEAD "Content-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"),
    FUZZ_SEED(HEAD "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\n"
                   "Trailer: x\r\n\r\n"),
    FUZZ_SEED(HEAD "Connection: close\r\n\r\nuntil the end"),
    FUZZ_SEED("HTTP/1.1 100 Continue\r\n\r\n" HEAD "Request URI: x\r\nContent-Length: 2\r\n\r\nok"
              "HTTP/1.1 500 x\r\n\r\n"),
    FUZZ_SEED("HTTP/1.0 404 Not Found\nContent-Length: 3\n\nno\n"),
    FUZZ_SEED("HTTP/1.1 204\r\n\r\n"),
};
FUZZ_SEED_COUNT;

enum { BODY_MAX_BYTES = 4096, INPUT_MAX_BYTES = HTTP_HEAD_MAX_BYTES + 8192 };

struct reading {
    struct http_response response;
    struct buf input;
    struct status status;
    bool ok;
    bool complete;
};

static void read_in_pieces(struct reading *reading, const uint8_t *data, size_t size, size_t piece)
{
    *reading = (struct reading){.ok = true};
    http_response_init(&reading->response, BODY_MAX_BYTES);
    buf_init(&reading->input, INPUT_MAX_BYTES);
    for (size_t at = 0; at < size && reading->ok;) {
        size_t take = piece < size - at ? piece : size - at;

        if (reading->response.phase == HTTP_COMPLETE)
            break;
        buf_put(&reading->input, data + at, take);
        at += take;
        reading->ok = http_response_feed(&reading->response, &reading->input, &reading->status);
        FUZZ_CHECK(reading->response.body.length <= BODY_MAX_BYTES);
    }
    FUZZ_CHECK(reading->ok == (reading->status.outcome == OUTCOME_OK));
    reading->complete = reading->response.phase == HTTP_COMPLETE;
    if (reading->ok && !reading->complete)
        reading->ok = http_response_end(&reading->response, &reading->status);
}

static void free_reading(struct reading *reading)
{
    http_response_free(&reading->response);
    buf_free(&reading->input);
}

/* However the octets come, the response is the same. */
static void check_same(const struct reading *one, const struct reading *other)
{
    const struct buf *body = &one->response.body;

    FUZZ_CHECK(one->ok == other->ok);
    if (!one->ok) {
        FUZZ_CHECK(strcmp(one->status.text, other->status.text) == 0);
        return;
    }
    FUZZ_CHECK(one->complete == other->complete);
    FUZZ_CHECK(one->response.code == other->response.code && one->response.code >= 200);
    FUZZ_CHECK(one->response.keep_alive == other->response.keep_alive);
    FUZZ_CHECK(body->length == other->response.body.length);
    FUZZ_CHECK(body->length == 0 ||
               memcmp(body->data, other->response.body.data, body->length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 2, 7, 1000};
    struct reading whole;

    if (size > INPUT_MAX_BYTES)
        return 0;
    read_in_pieces(&whole, data, size, INPUT_MAX_BYTES);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct reading other;

        if (size > 2048 && pieces[i] < 7)
            continue;
        read_in_pieces(&other, data, size, pieces[i]);
        check_same(&whole, &other);
        free_reading(&other);
    }
    free_reading(&whole);
    return 0;
}
