/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded octets: a writer that grows up to a maximum and is wiped when freed or when it
 * moves, and a reader that never goes past its end. Both remember a failure, so that a
 * sequence of calls needs one check at its end.
 */
#ifndef QKD_BASE_BUF_H
#define QKD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;      /* owned; NULL while nothing was written */
    size_t length;      /* octets in use */
    size_t capacity;    /* octets allocated */
    size_t max_bytes;   /* never exceeded */
    size_t dirty_bytes; /* octets that may not be zero since they were last wiped */
    bool failed;        /* a write did not fit, or memory ran out; the content is then incomplete */
};

/* An empty buffer that may grow to max_bytes; allocates nothing. */
void buf_init(struct buf *buf, size_t max_bytes);

/* Wipes all that was ever written and frees; the buffer is then empty and usable again. */
void buf_free(struct buf *buf);

/* Wipes the content and keeps the memory for the next use. */
void buf_reset(struct buf *buf);

/* Makes room for `more` octets behind the content and returns where they go; the caller adds
 * to length what it wrote. NULL when that would exceed the maximum. */
uint8_t *buf_reserve(struct buf *buf, size_t more);

/* Removes octets from the front, wiping what they leave behind. */
void buf_consume(struct buf *buf, size_t count);

void buf_put(struct buf *buf, const void *data, size_t length);
void buf_put_text(struct buf *buf, const char *text);
void buf_put_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_u32(struct buf *buf, uint32_t value); /* big-endian */
void buf_put_u64(struct buf *buf, uint64_t value); /* big-endian */

struct reader {
    const uint8_t *data; /* not owned */
    size_t left;
    bool failed; /* something was read past the end; all further reads give zeros */
};

void reader_init(struct reader *reader, const void *data, size_t length);

/* The next `length` octets, or NULL when there are fewer. */
const uint8_t *reader_take(struct reader *reader, size_t length);
uint8_t reader_u8(struct reader *reader);
uint32_t reader_u32(struct reader *reader); /* big-endian */
uint64_t reader_u64(struct reader *reader); /* big-endian */

/* Whether everything was read and nothing more. */
bool reader_done(const struct reader *reader);

#endif
