/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "ctl/check_answer.h"

#define HEAD "HTTP/1.1 405 No\r\nAllow: GET\r\n"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(HEAD "Content-Type: application/json\r\nContent-Length: 16\r\n\r\n"
                   "{\"message\": \"no\"}"),
    FUZZ_SEED("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nCache-Control:no-store \r\n"
              "Transfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n"),
    FUZZ_SEED("HTTP/1.0 200\nAllow:\t\nContent-Length: 14\n\n{\"key\": \"AAAA\"}"),
    FUZZ_SEED(HEAD "Content-Length: 2\r\n\r\nok" HEAD "Content-Length: 0\r\n\r\n"),
};
FUZZ_SEED_COUNT;

enum { BODY_MAX_BYTES = 4096, INPUT_MAX_BYTES = HTTP_HEAD_MAX_BYTES + 8192 };

/* A field's value is one line of the head, without space at its ends, and fits. */
static void check_fields(const struct answer *answer)
{
    static const char *const names[] = {"Allow", "Content-Type", "Cache-Control", "X"};
    char value[24];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!answer_field(answer, names[i], value, sizeof(value))) {
            FUZZ_CHECK(!answer_field_is(answer, names[i], ""));
            continue;
        }
        FUZZ_CHECK(strlen(value) < sizeof(value));
        FUZZ_CHECK(strchr(value, '\n') == NULL);
        FUZZ_CHECK(value[0] != ' ' && value[0] != '\t');
        FUZZ_CHECK(answer_field_is(answer, names[i], ""));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response response;
    struct status status = STATUS_INIT;
    struct answer answer;
    struct buf input;

    if (size > INPUT_MAX_BYTES)
        return 0;
    answer_init(&answer);
    http_response_init(&response, BODY_MAX_BYTES);
    buf_init(&input, INPUT_MAX_BYTES);
    buf_put(&input, data, size);
    if (answer_feed(&answer, &response, &input, &status)) {
        FUZZ_CHECK(status.outcome == OUTCOME_OK);
        FUZZ_CHECK(response.phase == HTTP_HEAD || answer.head.length > 0);
        FUZZ_CHECK(answer.head.length <= HTTP_HEAD_MAX_BYTES);
        check_fields(&answer);
    } else {
        FUZZ_CHECK(status.outcome != OUTCOME_OK);
    }
    /* Whatever stands in it, it is read to its end and no further. */
    octets_have_keys(data, size);
    buf_free(&input);
    http_response_free(&response);
    answer_free(&answer);
    return 0;
}
