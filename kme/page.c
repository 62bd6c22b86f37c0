/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/page.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "kme/page/page_files.h"

enum { SHA256_BYTES = 32, SHA256_BASE64_BYTES = 45 };

/* Puts the part of the document up to the mark, and behind it what stands for the mark. */
static bool put_up_to(struct buf *html, const char **at, const char *end, const char *mark,
                      const unsigned char *content, size_t content_bytes)
{
    const char *found = memmem(*at, (size_t)(end - *at), mark, strlen(mark));

    if (found == NULL)
        return false;
    buf_put(html, *at, (size_t)(found - *at));
    buf_put(html, content, content_bytes);
    *at = found + strlen(mark);
    return true;
}

static bool assemble(struct buf *html)
{
    const char *at = (const char *)page_html, *end = at + page_html_bytes;

    if (!put_up_to(html, &at, end, "@STYLE@", page_css, page_css_bytes) ||
        !put_up_to(html, &at, end, "@SCRIPT@", page_js, page_js_bytes))
        return false;
    buf_put(html, at, (size_t)(end - at));
    return !html->failed;
}

static bool hash(const struct env *env, const unsigned char *octets, size_t length,
                 char base64[static SHA256_BASE64_BYTES])
{
    unsigned char digest[SHA256_BYTES];
    size_t digest_bytes;

    if (EVP_Q_digest(env->libctx, "SHA256", NULL, octets, length, digest, &digest_bytes) != 1)
        return false;
    EVP_EncodeBlock((unsigned char *)base64, digest, (int)digest_bytes);
    return true;
}

bool page_make(struct page *page, const struct env *env, struct status *status)
{
    char style[SHA256_BASE64_BYTES], script[SHA256_BASE64_BYTES];
    int length;

    buf_init(&page->html, PAGE_MAX_BYTES);
    if (!assemble(&page->html) || !hash(env, page_css, page_css_bytes, style) ||
        !hash(env, page_js, page_js_bytes, script)) {
        buf_free(&page->html);
        return status_fail(status, OUTCOME_INTERNAL, "the page of the admin side cannot be made");
    }
    length = snprintf(page->headers, sizeof(page->headers),
                      "Content-Security-Policy: default-src 'none'; style-src 'sha256-%s'; "
                      "script-src 'sha256-%s'; connect-src 'self'; img-src data:; "
                      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                      "require-trusted-types-for 'script'\r\n"
                      "Referrer-Policy: no-referrer\r\n"
                      "X-Content-Type-Options: nosniff\r\n"
                      "Cross-Origin-Resource-Policy: same-origin\r\n",
                      style, script);
    return length > 0 && (size_t)length < sizeof(page->headers);
}

void page_free(struct page *page)
{
    buf_free(&page->html);
}
