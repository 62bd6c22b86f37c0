/* SPDX-License-Identifier: Apache-2.0 */
#include "net/error_queue.h"

#include <stddef.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

enum { ENTRIES_MAX = 16 /* as many as OpenSSL keeps */ };

struct entry {
    unsigned long code;
    int line;
    char *file;
    char *function;
    char *data; /* NULL without text */
};

struct error_queue {
    size_t count;
    struct entry entries[ENTRIES_MAX];
};

struct error_queue *error_queue_take(void)
{
    struct error_queue *taken;
    const char *file, *function, *data;
    unsigned long code;
    int line, flags;

    if (ERR_peek_error() == 0)
        return NULL;
    taken = OPENSSL_zalloc(sizeof(*taken));
    while (taken != NULL && taken->count < ENTRIES_MAX &&
           (code = ERR_get_error_all(&file, &line, &function, &data, &flags)) != 0)
        taken->entries[taken->count++] = (struct entry){
            .code = code,
            .line = line,
            .file = OPENSSL_strdup(file),
            .function = OPENSSL_strdup(function),
            .data = (flags & ERR_TXT_STRING) != 0 ? OPENSSL_strdup(data) : NULL,
        };
    return taken;
}

static void raise_again(const struct entry *entry)
{
    ERR_new();
    ERR_set_debug(entry->file, entry->line, entry->function);
    if (entry->data != NULL)
        ERR_set_error(ERR_GET_LIB(entry->code), ERR_GET_REASON(entry->code), "%s", entry->data);
    else
        ERR_set_error(ERR_GET_LIB(entry->code), ERR_GET_REASON(entry->code), NULL);
}

void error_queue_put_back(struct error_queue *taken)
{
    while (ERR_get_error() != 0)
        ;
    for (size_t i = 0; taken != NULL && i < taken->count; i++) {
        raise_again(&taken->entries[i]);
        OPENSSL_free(taken->entries[i].file);
        OPENSSL_free(taken->entries[i].function);
        OPENSSL_free(taken->entries[i].data);
    }
    OPENSSL_free(taken);
}
