/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/source.h"

#include <unistd.h>

#include <openssl/crypto.h>

#include "keys/source_ops.h"

struct source {
    const struct source_ops *ops;
    const struct log *log;
    void *state;
};

enum reservation_state { RESERVED, COLLECTED };

struct reservation {
    struct source *source;
    struct key_ref ref;
    enum reservation_state state;
    pid_t owner;
    struct secret *key; /* NULL where collect() reads it */
};

static const struct source_ops *const ops_of_apis[] = {
    [ENDPOINT_ETSI014] = &source014_ops,
    [ENDPOINT_ETSI004] = &source004_ops,
};

struct source *source_new(const struct settings *settings, const struct log *log)
{
    struct source *source = OPENSSL_zalloc(sizeof(*source));

    if (source == NULL)
        return NULL;
    source->ops = ops_of_apis[settings_api(settings)];
    source->log = log;
    source->state = source->ops->open(settings, log);
    if (source->state == NULL) {
        OPENSSL_free(source);
        return NULL;
    }
    return source;
}

void source_free(struct source *source)
{
    if (source == NULL)
        return;
    source->ops->close(source->state);
    OPENSSL_free(source);
}

enum key_ref_kind source_ref_kind(const struct source *source)
{
    return source->ops->ref_kind;
}

bool source_prepare(struct source *source, const struct deadline *deadline, struct status *status)
{
    return source->ops->prepare(source->state, deadline, status);
}

bool source_reserve(struct source *source, const struct deadline *deadline,
                    struct reservation **reservation, struct status *status)
{
    struct reservation *made = OPENSSL_zalloc(sizeof(*made));

    if (made == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a reservation");
    if (!source->ops->reserve(source->state, deadline, &made->ref, &made->key, status)) {
        OPENSSL_free(made);
        return false;
    }
    made->source = source;
    made->state = RESERVED;
    made->owner = getpid();
    *reservation = made;
    return true;
}

const struct key_ref *reservation_ref(const struct reservation *reservation)
{
    return &reservation->ref;
}

bool reservation_collect(struct reservation *reservation, const struct deadline *deadline,
                         struct secret **key, struct status *status)
{
    struct source *source = reservation->source;

    if (reservation->state == COLLECTED)
        return status_fail(status, OUTCOME_INPUT, "the key of a reservation is handed out once");
    if (reservation->owner != getpid())
        return status_fail(status, OUTCOME_INPUT,
                           "the key was reserved by the process that this one was forked from");
    reservation->state = COLLECTED;
    if (reservation->key == NULL)
        return source->ops->collect(source->state, &reservation->ref, deadline, key, status);
    *key = reservation->key;
    reservation->key = NULL;
    return true;
}

static void give_up(struct reservation *reservation)
{
    const struct source *source = reservation->source;
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&reservation->ref.id, id);
    log_line(source->log, LOG_LEVEL_INFO, "key lost: reserved and never used, key_id=%s", id);
    if (source->ops->abandon != NULL)
        source->ops->abandon(source->state, &reservation->ref);
}

void reservation_free(struct reservation *reservation)
{
    if (reservation == NULL)
        return;
    if (reservation->state == RESERVED && reservation->owner == getpid())
        give_up(reservation);
    secret_free(reservation->key);
    OPENSSL_free(reservation);
}

bool source_claim(struct source *source, const struct key_ref *ref, const struct deadline *deadline,
                  struct secret **key, struct status *status)
{
    return source->ops->claim(source->state, ref, deadline, key, status);
}
