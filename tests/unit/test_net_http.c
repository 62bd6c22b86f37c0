/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "net/http.h"

enum { BODY_MAX_BYTES = 64, INPUT_MAX_BYTES = HTTP_HEAD_MAX_BYTES + 8192, TO_END = 1 };

/* Feeds a response in pieces of `piece` octets, the first of them `first` octets long, and ends
 * the connection where the flag says so. What is left over stays in *input. */
static bool feed(struct http_response *response, struct buf *input, const char *text, size_t length,
                 size_t first, size_t piece, struct status *status)
{
    size_t at = 0;

    while (at < length && response->phase != HTTP_COMPLETE) {
        size_t take = at == 0 && first > 0 ? first : piece;

        if (take > length - at)
            take = length - at;
        buf_put(input, text + at, take);
        at += take;
        if (!http_response_feed(response, input, status))
            return false;
    }
    buf_put(input, text + at, length - at);
    return true;
}

struct accepted {
    const char *text;
    int code;
    const char *body;
    bool keep_alive;
    int to_end; /* TO_END: only the end of the connection completes it */
};

#define HEAD "HTTP/1.1 200 OK\r\n"

static const struct accepted accepted[] = {
    {HEAD "Content-Length: 5\r\n\r\nhello", 200, "hello", true, 0},
    {HEAD "content-length:5\r\n\r\nhello", 200, "hello", true, 0},
    {HEAD "Content-Length: \t 5 \t\r\n\r\nhello", 200, "hello", true, 0},
    {HEAD "Content-Length: 0\r\n\r\n", 200, "", true, 0},
    {HEAD "Content-Length: 0000000005\r\n\r\nhello", 200, "hello", true, 0},
    {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, 0},
    {"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nno", 404, "no", true, 0},
    {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200, "hello", true, 0},
    {HEAD "Connection: close\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false, 0},
    {HEAD "Connection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, 0},
    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false, 0},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, 0},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "", true, 0},
    {HEAD "\r\nuntil the end", 200, "until the end", false, TO_END},
    {HEAD "Content-Type: text/plain\r\n\r\n", 200, "", false, TO_END},
    {HEAD "Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 200,
     "hello world", true, 0},
    {HEAD "transfer-encoding: CHUNKED\r\n\r\n0005\nhello\n0\n\n", 200, "hello", true, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\nB;a=b;c=\"d\"\r\nhello world\r\n0;x\r\n\r\n", 200,
     "hello world", true, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\nb \r\nhello world\r\n0\r\nT: 1\r\nU: 2\r\n\r\n", 200,
     "hello world", true, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true, 0},
    {HEAD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, "x",
     true, 0},
    {HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, "x",
     true, 0},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" HEAD
     "Content-Length: 5\r\n\r\nhello",
     200, "hello", true, 0},
    {"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n" HEAD "\r\nhello", 200, "hello", false,
     TO_END},
    /* Malformed fields that servers of the field send. */
    {HEAD "Request URI: /api/v1/keys\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, 0},
    {HEAD "no colon here\r\n: no name\r\nx-process-time: 0.01\r\nContent-Length: 5\r\n\r\nhello",
     200, "hello", true, 0},
    {HEAD " folded: Content-Length: 9\r\nX-Content-Length: 9\r\nContent-Length: 5\r\n\r\nhello",
     200, "hello", true, 0},
};

static void check_accepted(const struct accepted *expected, size_t first, size_t piece)
{
    struct http_response response;
    struct status status = STATUS_INIT;
    struct buf input;

    http_response_init(&response, BODY_MAX_BYTES);
    buf_init(&input, INPUT_MAX_BYTES);
    if (!feed(&response, &input, expected->text, strlen(expected->text), first, piece, &status))
        fail_msg("%s\nin pieces of %zu, %zu: %s", expected->text, first, piece, status.text);
    if (expected->to_end == TO_END) {
        assert_int_equal(response.phase, HTTP_BODY);
        assert_true(http_response_end(&response, &status));
    }
    assert_int_equal(response.phase, HTTP_COMPLETE);
    assert_int_equal(response.code, expected->code);
    assert_int_equal(response.keep_alive, expected->keep_alive);
    assert_int_equal(response.body.length, strlen(expected->body));
    if (response.body.length > 0)
        assert_memory_equal(response.body.data, expected->body, response.body.length);
    assert_int_equal(input.length, 0);
    buf_free(&input);
    http_response_free(&response);
}

static void responses_are_read_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(accepted); i++)
        check_accepted(&accepted[i], 0, SIZE_MAX);
}

static void responses_are_read_whatever_the_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(accepted); i++) {
        check_accepted(&accepted[i], 0, 1);
        check_accepted(&accepted[i], 0, 3);
        for (size_t split = 1; split < strlen(accepted[i].text); split++)
            check_accepted(&accepted[i], split, SIZE_MAX);
    }
}

static void every_cut_before_the_end_is_a_failure(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(accepted); i++) {
        if (accepted[i].to_end == TO_END)
            continue;
        for (size_t length = 0; length < strlen(accepted[i].text); length++) {
            struct http_response response;
            struct status status = STATUS_INIT;
            struct buf input;

            http_response_init(&response, BODY_MAX_BYTES);
            buf_init(&input, INPUT_MAX_BYTES);
            assert_true(feed(&response, &input, accepted[i].text, length, 0, SIZE_MAX, &status));
            assert_int_not_equal(response.phase, HTTP_COMPLETE);
            assert_false(http_response_end(&response, &status));
            assert_failed(&status, OUTCOME_KME, "in the middle of its answer");
            buf_free(&input);
            http_response_free(&response);
        }
    }
}

struct refused {
    const char *text;
    const char *reason;
};

#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct refused refused[] = {
    {"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP/1.1"},
    {"\r\n", "not HTTP/1.1"},
    {"HTTP/2 200\r\n\r\n", "not HTTP/1.1"},
    {"HTTP/1.2 200 OK\r\n\r\n", "not HTTP/1.1"},
    {"HTTP/1.1  200 OK\r\n\r\n", "not HTTP/1.1"},
    {"HTTP/1.1 20 OK\r\n\r\n", "not HTTP/1.1"},
    {"HTTP/1.1 2000 OK\r\n\r\n", "not HTTP/1.1"},
    {"HTTP/1.1 200OK\r\n\r\n", "not HTTP/1.1"},
    {"http/1.1 200 OK\r\n\r\n", "not HTTP/1.1"},
    {"HTTP/1.1 2\r\n0\r\n\r\n", "not HTTP/1.1"},
    {HEAD "Content-Length:\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: -1\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: +1\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: 5x\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: 5, 5\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: 18446744073709551617\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "no clear Content-Length"},
    {HEAD "Content-Length: 65\r\n\r\n", "of 65 octets exceeds 64"},
    {HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", "unknown transfer coding"},
    {HEAD "Transfer-Encoding: identity\r\n\r\n", "unknown transfer coding"},
    {HEAD "Content-Encoding: gzip\r\n\r\n", "compressed"},
    {HEAD "\r\n12345678901234567890123456789012345678901234567890123456789012345", "exceeds 64"},
    {CHUNKED "\r\n", "no clear size"},
    {CHUNKED "x\r\n", "no clear size"},
    {CHUNKED "-1\r\n", "no clear size"},
    {CHUNKED "0x5\r\n", "no clear size"},
    {CHUNKED "5x\r\nhello\r\n", "no clear size"},
    {CHUNKED "00000000000000005\r\nhello\r\n", "no clear size"},
    {CHUNKED "41\r\n", "exceeds 64"},
    {CHUNKED "FFFFFFFFFFFFFFFF\r\n", "exceeds 64"},
    {CHUNKED "10000000000000005\r\n", "exceeds 64"},
    {CHUNKED "40\r\n1234567890123456789012345678901234567890123456789012345678901234\r\n1\r\nx",
     "exceeds 64"},
    {CHUNKED "5\r\nhello!\r\n", "longer than it says"},
    {CHUNKED "5\r\nhello0\r\n\r\n", "longer than it says"},
    {"HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 b\r\n\r\nHTTP/1.1 100 c\r\n\r\nHTTP/1.1 100 d\r\n\r\n"
     "HTTP/1.1 100 e\r\n\r\n",
     "interim answers without end"},
};

static void check_refused(const char *text, size_t length, size_t piece, const char *reason)
{
    struct http_response response;
    struct status status = STATUS_INIT;
    struct buf input;

    http_response_init(&response, BODY_MAX_BYTES);
    buf_init(&input, INPUT_MAX_BYTES);
    if (feed(&response, &input, text, length, 0, piece, &status))
        fail_msg("accepted: %.200s", text);
    assert_failed(&status, OUTCOME_KME, reason);
    assert_true(response.body.length <= BODY_MAX_BYTES);
    buf_free(&input);
    http_response_free(&response);
}

static void what_is_no_clear_response_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        check_refused(refused[i].text, strlen(refused[i].text), SIZE_MAX, refused[i].reason);
        check_refused(refused[i].text, strlen(refused[i].text), 1, refused[i].reason);
    }
}

static void a_head_may_have_16_kib_and_no_more(void **state)
{
    static char text[HTTP_HEAD_MAX_BYTES + 100];
    struct http_response response;
    struct status status = STATUS_INIT;
    struct buf input;

    (void)state;
    memset(text, 'h', sizeof(text));
    memcpy(text, HEAD, strlen(HEAD));
    check_refused(text, sizeof(text), 4096, "exceeds 16384 octets");
    memcpy(text + HTTP_HEAD_MAX_BYTES - 3, "\r\n\r\n", 4);
    check_refused(text, sizeof(text), SIZE_MAX, "exceeds 16384 octets");
    memcpy(text + HTTP_HEAD_MAX_BYTES - 4, "\r\n\r\nx", 5);
    http_response_init(&response, BODY_MAX_BYTES);
    buf_init(&input, INPUT_MAX_BYTES);
    assert_true(feed(&response, &input, text, HTTP_HEAD_MAX_BYTES, 0, 4096, &status));
    assert_int_equal(response.phase, HTTP_BODY);
    buf_free(&input);
    http_response_free(&response);
}

static void a_chunk_line_is_bounded(void **state)
{
    static char text[4000];

    (void)state;
    memset(text, 'e', sizeof(text));
    memcpy(text, CHUNKED "5;", strlen(CHUNKED "5;"));
    check_refused(text, sizeof(text), 500, "chunk line of its answer exceeds 1024");
}

static void octets_behind_a_response_are_left(void **state)
{
    static const char text[] = HEAD "Content-Length: 2\r\n\r\nokHTTP/1.1 500 forged\r\n\r\n";
    struct http_response response;
    struct status status = STATUS_INIT;
    struct buf input;

    (void)state;
    http_response_init(&response, BODY_MAX_BYTES);
    buf_init(&input, INPUT_MAX_BYTES);
    assert_true(feed(&response, &input, text, strlen(text), 0, SIZE_MAX, &status));
    assert_int_equal(response.phase, HTTP_COMPLETE);
    assert_int_equal(input.length, strlen("HTTP/1.1 500 forged\r\n\r\n"));
    buf_free(&input);
    http_response_free(&response);
}

static void check_request(const char *host, const struct buf *body, const char *expected)
{
    struct buf buf;

    buf_init(&buf, 10000);
    http_put_request(&buf, host, "8443", "/api/v1/keys/bob/enc_keys", body);
    buf_put_u8(&buf, '\0');
    assert_false(buf.failed);
    assert_string_equal((const char *)buf.data, expected);
    buf_free(&buf);
}

static void requests_are_http_1_1_and_refuse_compression(void **state)
{
    struct buf body;

    (void)state;
    check_request("kme-a", NULL,
                  "GET /api/v1/keys/bob/enc_keys HTTP/1.1\r\nHost: kme-a:8443\r\n"
                  "Accept: application/json\r\nAccept-Encoding: identity\r\n\r\n");
    buf_init(&body, 10);
    buf_put_text(&body, "{}");
    check_request("::1", &body,
                  "POST /api/v1/keys/bob/enc_keys HTTP/1.1\r\nHost: [::1]:8443\r\n"
                  "Accept: application/json\r\nAccept-Encoding: identity\r\n"
                  "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_read_whole),
        cmocka_unit_test(responses_are_read_whatever_the_pieces),
        cmocka_unit_test(every_cut_before_the_end_is_a_failure),
        cmocka_unit_test(what_is_no_clear_response_is_refused),
        cmocka_unit_test(a_head_may_have_16_kib_and_no_more),
        cmocka_unit_test(a_chunk_line_is_bounded),
        cmocka_unit_test(octets_behind_a_response_are_left),
        cmocka_unit_test(requests_are_http_1_1_and_refuse_compression),
    };

    return RUN_TESTS(tests);
}
