/* SPDX-License-Identifier: Apache-2.0 */
/* kme/http_request.h: framing of requests, whole and octet by octet; what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kme/http_request.h"

enum { INPUT_MAX = 65536, BODY_MAX = 64 };

#define HOST "Host: kme\r\n"

struct parsed {
    struct http_request request;
    struct buf input;
    struct http_fault fault;
    bool good;
};

static void begin(struct parsed *parsed)
{
    memset(parsed, 0, sizeof(*parsed));
    http_request_init(&parsed->request, BODY_MAX);
    buf_init(&parsed->input, INPUT_MAX);
}

static void end(struct parsed *parsed)
{
    http_request_free(&parsed->request);
    buf_free(&parsed->input);
}

static void feed(struct parsed *parsed, const void *data, size_t length)
{
    buf_put(&parsed->input, data, length);
    parsed->good = http_request_feed(&parsed->request, &parsed->input, &parsed->fault);
}

static void assert_body(const struct parsed *parsed, const char *body)
{
    assert_true(parsed->good);
    assert_int_equal(parsed->request.phase, HTTP_REQUEST_COMPLETE);
    assert_int_equal(parsed->request.body.length, strlen(body));
    if (body[0] != '\0')
        assert_memory_equal(parsed->request.body.data, body, strlen(body));
}

/* The same, in one piece and octet by octet. */
static void assert_request(const char *text, const char *method, const char *target,
                           const char *body)
{
    for (int piecewise = 0; piecewise < 2; piecewise++) {
        struct parsed parsed;

        begin(&parsed);
        if (!piecewise)
            feed(&parsed, text, strlen(text));
        else
            for (size_t i = 0; text[i] != '\0'; i++) {
                assert_true(i == 0 || parsed.request.phase != HTTP_REQUEST_COMPLETE);
                feed(&parsed, text + i, 1);
                assert_true(parsed.good);
            }
        assert_body(&parsed, body);
        assert_string_equal(parsed.request.method, method);
        assert_string_equal(parsed.request.target, target);
        assert_int_equal(parsed.input.length, 0);
        end(&parsed);
    }
}

static void assert_refused(const char *text, int code)
{
    struct parsed parsed;

    begin(&parsed);
    feed(&parsed, text, strlen(text));
    assert_false(parsed.good);
    assert_int_equal(parsed.fault.code, code);
    assert_non_null(parsed.fault.message);
    end(&parsed);
}

static void test_requests_in_all_framings(void **state)
{
    (void)state;
    assert_request("GET /a?b HTTP/1.1\r\n" HOST "\r\n", "GET", "/a?b", "");
    assert_request("\r\nPOST /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", "POST", "/a",
                   "{}");
    assert_request("GET /a HTTP/1.1\r\nhost:kme\r\nCONTENT-LENGTH:  3 \r\n\r\nabc", "GET", "/a",
                   "abc");
    assert_request("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
                   "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
                   "POST", "/a", "abc0123456789");
    assert_request("GET https://kme:1/a HTTP/1.1\r\n" HOST "\r\n", "GET", "/a", "");
    assert_request("GET /a HTTP/1.0\r\n\r\n", "GET", "/a", "");
}

static void assert_keep_alive(const char *text, bool expected)
{
    struct parsed parsed;

    begin(&parsed);
    feed(&parsed, text, strlen(text));
    assert_body(&parsed, "");
    assert_int_equal(parsed.request.keep_alive, expected);
    end(&parsed);
}

static void test_connections_are_kept_as_asked(void **state)
{
    (void)state;
    assert_keep_alive("GET /a HTTP/1.1\r\n" HOST "\r\n", true);
    assert_keep_alive("GET /a HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", false);
    assert_keep_alive("GET /a HTTP/1.0\r\n\r\n", false);
    assert_keep_alive("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true);
}

static void test_the_next_request_stays_in_the_input(void **state)
{
    static const char text[] = "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n";
    struct parsed parsed;

    (void)state;
    begin(&parsed);
    feed(&parsed, text, strlen(text));
    assert_string_equal(parsed.request.target, "/1");
    http_request_reset(&parsed.request);
    feed(&parsed, "", 0);
    assert_string_equal(parsed.request.target, "/2");
    assert_int_equal(parsed.input.length, 0);
    end(&parsed);
}

static void test_where_a_request_is_for_and_comes_from_is_kept(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nhost:  kme:1 \r\nORIGIN: http://a:2\r\n\r\n";
    struct parsed parsed;

    (void)state;
    begin(&parsed);
    feed(&parsed, text, strlen(text));
    assert_true(parsed.good);
    assert_string_equal(parsed.request.host, "kme:1");
    assert_string_equal(parsed.request.origin, "http://a:2");
    http_request_reset(&parsed.request);
    assert_string_equal(parsed.request.host, "");
    assert_string_equal(parsed.request.origin, "");
    end(&parsed);
    assert_refused("GET / HTTP/1.1\r\n" HOST "Origin: a\r\nOrigin: b\r\n\r\n", 400);
}

static void test_ambiguous_framing_is_refused(void **state)
{
    (void)state;
    assert_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
                   400);
    assert_refused(
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Content-Length : 1\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\nHost: kme\n\n", 400);
    assert_refused("GET / HTTP/1.1\r\nX: a\rb\r\n" HOST "\r\n", 400);
}

static void test_what_is_too_large_is_refused(void **state)
{
    char text[INPUT_MAX];

    (void)state;
    assert_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 65\r\n\r\n", 413);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n",
                   413);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n41\r\n", 413);
    assert_refused(
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 413);
    snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", HTTP_TARGET_MAX_CHARS, 0);
    assert_refused(text, 414);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %0*d\r\n\r\n", HTTP_HOST_MAX_CHARS + 1,
             0);
    assert_refused(text, 400);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "Origin: %0*d\r\n\r\n",
             HTTP_ORIGIN_MAX_CHARS + 1, 0);
    assert_refused(text, 400);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nX: %0*d", HTTP_REQUEST_HEAD_MAX_BYTES, 0);
    assert_refused(text, 431);
}

static void test_what_is_no_request_is_refused(void **state)
{
    (void)state;
    assert_refused("\x16\x03\x01 garbage\r\n\r\n", 400);
    assert_refused("GET /\r\n\r\n", 400);
    assert_refused("GET / HTTP/2.0\r\n" HOST "\r\n", 505);
    assert_refused("GET  / HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET a HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused("ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n" HOST "\r\n", 501);
    assert_refused("GET / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", 417);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400);
}

static void test_endless_chunk_lines_and_trailers_are_refused(void **state)
{
    static const char head[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    struct parsed parsed;

    (void)state;
    begin(&parsed);
    feed(&parsed, head, strlen(head));
    feed(&parsed, "0\r\n", 3);
    for (int i = 0; parsed.good && i < 10000; i++)
        feed(&parsed, "Trailer: x\r\n", 12);
    assert_false(parsed.good);
    assert_int_equal(parsed.fault.code, 400);
    end(&parsed);
    begin(&parsed);
    feed(&parsed, head, strlen(head));
    for (int i = 0; parsed.good && i < 10000; i++)
        feed(&parsed, "1", 1);
    assert_false(parsed.good);
    end(&parsed);
}

/* Every octet becomes every value, in an input that ends where the memory ends. */
static void test_mutations_are_survived(void **state)
{
    static const char text[] = "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
                               "Expect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n";

    (void)state;
    for (size_t at = 0; at < strlen(text); at++) {
        for (int value = 0; value < 256; value++) {
            struct parsed parsed;
            char changed[sizeof(text)];

            memcpy(changed, text, sizeof(text));
            changed[at] = (char)value;
            begin(&parsed);
            feed(&parsed, changed, strlen(text));
            assert_true(parsed.good || parsed.fault.code >= 400);
            assert_true(parsed.request.body.length <= BODY_MAX);
            end(&parsed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_in_all_framings),
        cmocka_unit_test(test_connections_are_kept_as_asked),
        cmocka_unit_test(test_the_next_request_stays_in_the_input),
        cmocka_unit_test(test_where_a_request_is_for_and_comes_from_is_kept),
        cmocka_unit_test(test_ambiguous_framing_is_refused),
        cmocka_unit_test(test_what_is_too_large_is_refused),
        cmocka_unit_test(test_what_is_no_request_is_refused),
        cmocka_unit_test(test_endless_chunk_lines_and_trailers_are_refused),
        cmocka_unit_test(test_mutations_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
