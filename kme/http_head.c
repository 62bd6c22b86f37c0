/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/http_head.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t length;
};

/* What the headers that matter said. */
struct framing {
    bool has_host, has_length, chunked;
    size_t length;
};

struct header_context {
    struct http_request *request;
    struct framing framing;
    struct http_fault *fault;
};

bool http_refuse(struct http_fault *fault, int code, const char *message)
{
    fault->code = code;
    fault->message = message;
    return false;
}

static bool span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.at, text, span.length) == 0;
}

static bool is_token(struct span span)
{
    for (size_t i = 0; i < span.length; i++)
        if (!isalnum((unsigned char)span.at[i]) && strchr("!#$%&'*+-.^_`|~", span.at[i]) == NULL)
            return false;
    return span.length > 0 && memchr(span.at, 0, span.length) == NULL;
}

static struct span trim(struct span span)
{
    while (span.length > 0 && (*span.at == ' ' || *span.at == '\t')) {
        span.at++;
        span.length--;
    }
    while (span.length > 0 && (span.at[span.length - 1] == ' ' || span.at[span.length - 1] == '\t'))
        span.length--;
    return span;
}

/* The text up to the separator; moves *rest behind it. */
static struct span split(struct span *rest, char separator)
{
    const char *end = memchr(rest->at, separator, rest->length);
    struct span part = {rest->at, end == NULL ? rest->length : (size_t)(end - rest->at)};
    size_t used = end == NULL ? rest->length : part.length + 1;

    rest->at += used;
    rest->length -= used;
    return part;
}

static bool on_host(struct header_context *context, struct span value)
{
    if (context->framing.has_host)
        return http_refuse(context->fault, 400, "there is more than one Host header");
    if (value.length > HTTP_HOST_MAX_CHARS)
        return http_refuse(context->fault, 400, "the Host header is too long");
    memcpy(context->request->host, value.at, value.length);
    context->request->host[value.length] = '\0';
    context->framing.has_host = true;
    return true;
}

static bool on_content_length(struct header_context *context, struct span value)
{
    size_t length = 0;

    if (context->framing.has_length || value.length == 0)
        return http_refuse(context->fault, 400, "Content-Length is empty or there twice");
    for (size_t i = 0; i < value.length; i++) {
        if (!isdigit((unsigned char)value.at[i]))
            return http_refuse(context->fault, 400, "Content-Length is not a number");
        if (length > SIZE_MAX / 10 - 1)
            return http_refuse(context->fault, 413, "the request body is too large");
        length = length * 10 + (size_t)(value.at[i] - '0');
    }
    context->framing.has_length = true;
    context->framing.length = length;
    return true;
}

static bool on_transfer_encoding(struct header_context *context, struct span value)
{
    if (context->framing.chunked || !span_is(value, "chunked"))
        return http_refuse(context->fault, 501, "the only transfer coding here is chunked");
    context->framing.chunked = true;
    return true;
}

static bool on_connection(struct header_context *context, struct span value)
{
    while (value.length > 0) {
        struct span option = trim(split(&value, ','));

        if (span_is(option, "close"))
            context->request->keep_alive = false;
        else if (span_is(option, "keep-alive"))
            context->request->keep_alive = true;
    }
    return true;
}

static bool on_expect(struct header_context *context, struct span value)
{
    if (!span_is(value, "100-continue"))
        return http_refuse(context->fault, 417, "the only expectation met here is 100-continue");
    context->request->expects_continue = true;
    return true;
}

static bool on_content_type(struct header_context *context, struct span value)
{
    if (value.length > HTTP_CONTENT_TYPE_MAX_CHARS)
        return http_refuse(context->fault, 400, "Content-Type is too long");
    memcpy(context->request->content_type, value.at, value.length);
    context->request->content_type[value.length] = '\0';
    return true;
}

static bool on_origin(struct header_context *context, struct span value)
{
    if (context->request->origin[0] != '\0')
        return http_refuse(context->fault, 400, "there is more than one Origin header");
    if (value.length > HTTP_ORIGIN_MAX_CHARS)
        return http_refuse(context->fault, 400, "the Origin header is too long");
    memcpy(context->request->origin, value.at, value.length);
    context->request->origin[value.length] = '\0';
    return true;
}

static const struct {
    const char *name;
    bool (*take)(struct header_context *context, struct span value);
} headers[] = {
    {"Host", on_host},
    {"Origin", on_origin},
    {"Content-Length", on_content_length},
    {"Transfer-Encoding", on_transfer_encoding},
    {"Connection", on_connection},
    {"Expect", on_expect},
    {"Content-Type", on_content_type},
};

static bool take_header(struct header_context *context, struct span line)
{
    struct span value = line, name = split(&value, ':');

    if (name.length == line.length || !is_token(name))
        return http_refuse(context->fault, 400, "a header line is malformed");
    value = trim(value);
    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)value.at[i] < 0x20 && value.at[i] != '\t')
            return http_refuse(context->fault, 400, "a header value has a control character");
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        if (span_is(name, headers[i].name))
            return headers[i].take(context, value);
    return true;
}

/* https://host/path names the same as /path. */
static struct span origin_form(struct span target)
{
    const char *slashes = memmem(target.at, target.length, "://", 3);
    struct span rest;

    if (target.length == 0 || *target.at == '/' || slashes == NULL)
        return target;
    rest.at = slashes + 3;
    rest.length = target.length - (size_t)(rest.at - target.at);
    while (rest.length > 0 && *rest.at != '/') {
        rest.at++;
        rest.length--;
    }
    return rest;
}

static bool take_target(struct http_request *request, struct span target, struct http_fault *fault)
{
    target = origin_form(target);
    if (target.length > HTTP_TARGET_MAX_CHARS)
        return http_refuse(fault, 414, "the request target is too long");
    if (target.length == 0 || (*target.at != '/' && !span_is(target, "*")))
        return http_refuse(fault, 400, "the request target is malformed");
    for (size_t i = 0; i < target.length; i++)
        if ((unsigned char)target.at[i] <= 0x20 || target.at[i] == 0x7f)
            return http_refuse(fault, 400, "the request target has a control character");
    memcpy(request->target, target.at, target.length);
    request->target[target.length] = '\0';
    return true;
}

static bool take_request_line(struct http_request *request, struct span line, bool *needs_host,
                              struct http_fault *fault)
{
    struct span method = split(&line, ' '), target = split(&line, ' ');

    if (!is_token(method) || line.length != 8 || memcmp(line.at, "HTTP/", 5) != 0)
        return http_refuse(fault, 400, "the request line is malformed");
    if (memcmp(line.at, "HTTP/1.", 7) != 0)
        return http_refuse(fault, 505, "the only protocol here is HTTP/1.1");
    if (line.at[7] != '0' && line.at[7] != '1')
        return http_refuse(fault, 400, "the request line is malformed");
    if (method.length > HTTP_METHOD_MAX_CHARS)
        return http_refuse(fault, 501, "the method is unknown");
    memcpy(request->method, method.at, method.length);
    request->method[method.length] = '\0';
    *needs_host = request->keep_alive = line.at[7] == '1';
    return take_target(request, target, fault);
}

static bool settle_framing(struct http_request *request, const struct framing *framing,
                           struct http_fault *fault)
{
    if (framing->chunked && framing->has_length)
        return http_refuse(fault, 400, "there are both Content-Length and Transfer-Encoding");
    if (framing->has_length && framing->length > request->body.max_bytes)
        return http_refuse(fault, 413, "the request body is too large");
    request->left = framing->length;
    if (framing->chunked)
        request->phase = HTTP_REQUEST_CHUNK_SIZE;
    else
        request->phase = framing->length > 0 ? HTTP_REQUEST_BODY : HTTP_REQUEST_COMPLETE;
    return true;
}

bool http_head_parse(struct http_request *request, const char *text, size_t length,
                     struct http_fault *fault)
{
    struct header_context context = {request, {false, false, false, 0}, fault};
    struct span rest = {text, length};
    bool first = true, needs_host = false;

    while (first || rest.length > 0) {
        struct span line = split(&rest, '\n');

        if (line.length == 0 || line.at[line.length - 1] != '\r')
            return http_refuse(fault, 400, "a line does not end with CR LF");
        line.length--;
        if (first ? !take_request_line(request, line, &needs_host, fault)
                  : !take_header(&context, line))
            return false;
        first = false;
    }
    if (needs_host && !context.framing.has_host)
        return http_refuse(fault, 400, "there is no Host header");
    return settle_framing(request, &context.framing, fault);
}
