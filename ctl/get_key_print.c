/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/get_key.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAX_BYTES = GET_KEY_MAX * (2 * SECRET_MAX_BYTES + 256) };

static void put_hex(struct buf *text, const struct secret *key)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < key->size_bytes; i++) {
        buf_put_u8(text, (uint8_t)digits[key->bytes[i] >> 4]);
        buf_put_u8(text, (uint8_t)digits[key->bytes[i] & 15]);
    }
}

static void put_row(struct buf *text, const struct got_key *got, bool show_key)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&got->id, id);
    buf_put_text(text, id);
    if (got->index != GET_KEY_NO_INDEX)
        buf_put_format(text, " index %-4" PRId64, got->index);
    buf_put_format(text, " %5zu bits  ", got->key->size_bytes * 8);
    if (show_key)
        put_hex(text, got->key);
    else
        buf_put_text(text, "(hidden; --show-key prints it)");
    buf_put_text(text, "\n");
}

static void put_row_json(struct buf *text, const struct got_key *got, bool show_key)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&got->id, id);
    if (got->index == GET_KEY_NO_INDEX)
        buf_put_format(text, "{\"key_ID\": \"%s\"", id);
    else
        buf_put_format(text, "{\"Key_stream_ID\": \"%s\", \"index\": %" PRId64, id, got->index);
    buf_put_format(text, ", \"size_bits\": %zu", got->key->size_bytes * 8);
    if (show_key) {
        buf_put_text(text, ", \"key_hex\": \"");
        put_hex(text, got->key);
        buf_put_text(text, "\"");
    }
    buf_put_text(text, "}");
}

static void put_all(struct buf *text, const struct get_key_options *options,
                    const struct got_keys *keys)
{
    if (options->json)
        buf_put_format(text, "{\"role\": \"%s\", \"keys\": [",
                       options->key_ids != NULL ? "responder" : "initiator");
    for (size_t i = 0; i < keys->count; i++) {
        if (!options->json) {
            put_row(text, &keys->keys[i], options->show_key);
            continue;
        }
        buf_put_text(text, i > 0 ? ", " : "");
        put_row_json(text, &keys->keys[i], options->show_key);
    }
    if (options->json)
        buf_put_text(text, "]}\n");
}

/* Not through stdio, whose buffer would keep the keys. */
static bool write_all(const struct buf *text, struct status *status)
{
    if (text->failed)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for the output");
    for (size_t done = 0; done < text->length;) {
        ssize_t count = write(STDOUT_FILENO, text->data + done, text->length - done);

        if (count < 0 && errno != EINTR)
            return status_fail(status, OUTCOME_INTERNAL, "cannot write the keys: %s",
                               strerror(errno));
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

bool get_key_print(const struct get_key_options *options, const struct got_keys *keys,
                   struct status *status)
{
    struct buf text;
    bool written;

    buf_init(&text, OUTPUT_MAX_BYTES);
    put_all(&text, options, keys);
    written = write_all(&text, status);
    buf_free(&text);
    return written;
}
