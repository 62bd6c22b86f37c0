/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/kme_options.h"

enum { OUTPUT_MAX_BYTES = ETSI014_KEYS_MAX * (2 * SECRET_MAX_BYTES + 256) };

struct get_key_options {
    struct kme_options kme;
    const char *key_ids; /* as given; NULL = reserve */
    int64_t number;
    int64_t size_bits;
    bool show_key;
    bool json;
    struct key_id ids[ETSI014_KEYS_MAX];
    size_t id_count;
};

static bool parse_ids(struct get_key_options *options, struct status *status)
{
    const char *text = options->key_ids;

    for (;;) {
        size_t length = strcspn(text, ",");

        if (options->id_count == ETSI014_KEYS_MAX)
            return status_fail(status, OUTCOME_INPUT, "--key-id has more than %d key IDs",
                               ETSI014_KEYS_MAX);
        if (!key_id_parse(text, length, &options->ids[options->id_count++]))
            return status_fail(status, OUTCOME_INPUT, "--key-id '%.*s' is not a UUID", (int)length,
                               text);
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool parse(int argc, char **argv, struct get_key_options *options, struct status *status)
{
    enum { OWN_ROWS = 5 };
    struct option_row rows[KME_OPTION_COUNT + OWN_ROWS];
    size_t word_count;
    const struct option_row own[OWN_ROWS] = {
        {"number", OPTION_NUMBER, {.number = &options->number}, 1, ETSI014_KEYS_MAX},
        {"size-bits", OPTION_NUMBER, {.number = &options->size_bits}, 8, SECRET_MAX_BYTES * 8},
        {"key-id", OPTION_TEXT, {.text = &options->key_ids}, 0, 0},
        {"show-key", OPTION_FLAG, {.flag = &options->show_key}, 0, 0},
        {"json", OPTION_FLAG, {.flag = &options->json}, 0, 0},
    };

    kme_options_rows(&options->kme, rows);
    memcpy(&rows[KME_OPTION_COUNT], own, sizeof(own));
    if (!options_parse(rows, KME_OPTION_COUNT + OWN_ROWS, argc, argv, NULL, 0, &word_count, status))
        return false;
    if (options->key_ids == NULL) {
        if (options->number == 0)
            options->number = 1;
        if (options->size_bits == 0)
            options->size_bits = 256;
        return true;
    }
    if (options->number != 0 || options->size_bits != 0)
        return status_fail(status, OUTCOME_INPUT,
                           "--key-id claims keys that exist: --number and --size-bits are for "
                           "reserving new ones");
    return parse_ids(options, status);
}

static bool fetch(const struct get_key_options *options, struct kme_session *session,
                  struct etsi014_container *container, struct status *status)
{
    const char *peer = settings_peer(session->settings);

    bool fetched;

    if (options->key_ids != NULL)
        fetched = client014_get_key_ids(session->client, peer, options->ids, options->id_count, 0,
                                        &session->deadline, container, NULL, status);
    else
        fetched =
            client014_get_key(session->client, peer, (size_t)options->number, options->size_bits,
                              &session->deadline, container, NULL, status);
    return fetched || status_prefix(status, "keys with peer %s", peer);
}

static void put_hex(struct buf *text, const struct secret *key)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < key->size_bytes; i++) {
        buf_put_u8(text, (uint8_t)digits[key->bytes[i] >> 4]);
        buf_put_u8(text, (uint8_t)digits[key->bytes[i] & 15]);
    }
}

static void put_row(struct buf *text, const struct etsi014_key *key, bool show_key)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&key->id, id);
    buf_put_format(text, "%s %5zu bits  ", id, key->key->size_bytes * 8);
    if (show_key)
        put_hex(text, key->key);
    else
        buf_put_text(text, "(hidden; --show-key prints it)");
    buf_put_text(text, "\n");
}

static void put_row_json(struct buf *text, const struct etsi014_key *key, bool show_key)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&key->id, id);
    buf_put_format(text, "{\"key_ID\": \"%s\", \"size_bits\": %zu", id, key->key->size_bytes * 8);
    if (show_key) {
        buf_put_text(text, ", \"key_hex\": \"");
        put_hex(text, key->key);
        buf_put_text(text, "\"");
    }
    buf_put_text(text, "}");
}

static void put_output(struct buf *text, const struct get_key_options *options,
                       const struct etsi014_container *container)
{
    if (options->json)
        buf_put_format(text, "{\"role\": \"%s\", \"keys\": [",
                       options->key_ids != NULL ? "responder" : "initiator");
    for (size_t i = 0; i < container->count; i++) {
        if (!options->json) {
            put_row(text, &container->keys[i], options->show_key);
            continue;
        }
        buf_put_text(text, i > 0 ? ", " : "");
        put_row_json(text, &container->keys[i], options->show_key);
    }
    if (options->json)
        buf_put_text(text, "]}\n");
}

/* Not through stdio, whose buffer would keep the keys. */
static bool write_output(const struct buf *text, struct status *status)
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

static enum exit_code run(int argc, char **argv)
{
    struct get_key_options options = {0};
    struct etsi014_container container = {0};
    struct status status = STATUS_INIT;
    struct kme_session session;
    struct buf text;

    if (!parse(argc, argv, &options, &status))
        return command_misused(&status, "get-key");
    if (!kme_session_open(&options.kme, &session, &status))
        return command_failed(&status);
    buf_init(&text, OUTPUT_MAX_BYTES);
    if (fetch(&options, &session, &container, &status)) {
        put_output(&text, &options, &container);
        write_output(&text, &status);
    }
    buf_free(&text);
    etsi014_container_free(&container);
    kme_session_close(&session);
    return status.outcome == OUTCOME_OK ? EXIT_DONE : command_failed(&status);
}

const struct command command_get_key = {
    .name = "get-key",
    .summary = "reserves keys, or claims those of given IDs (ETSI 014 Get key)",
    .help = "usage: qkdctl get-key [--number N] [--size-bits N]   reserves, as initiator\n"
            "       qkdctl get-key --key-id UUID[,UUID...]        claims, as responder\n"
            "\n"
            "A key that was got here is gone from the key server: no handshake will use it.\n"
            "\n"
            "  --number N      how many keys (default 1)\n"
            "  --size-bits N   of each (default 256)\n"
            "  --show-key      prints the keys too, in hexadecimal\n"
            "  --json          for programs\n" KME_OPTIONS_HELP,
    .run = run,
};
