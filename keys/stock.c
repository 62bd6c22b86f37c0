/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/stock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include <openssl/crypto.h>

static const int64_t NS_PER_S = INT64_C(1000000000);

/* After key servers refused to reserve ahead. */
enum { PAUSE_S = 1 };

struct stock {
    const struct source_ops *ops;
    const struct log *log;
    struct site *site;
    struct key_pool *pool; /* NULL: nothing is kept at hand */
    size_t capacity;
    int64_t max_age_ns;
    _Atomic(pid_t) used_by;         /* the process that has used it */
    _Atomic(int64_t) used_ns;       /* when it was used last */
    _Atomic(int64_t) interval_ns;   /* about how long from use to use */
    _Atomic(int64_t) not_before_ns; /* of the next request */
    /* In one request: a key server gives all or nothing, so after a refusal half as many. */
    atomic_size_t batch;
};

struct stock *stock_new(const struct settings *settings, const struct source_ops *ops,
                        struct site *site, const struct log *log)
{
    struct stock *stock = OPENSSL_zalloc(sizeof(*stock));
    int64_t max_age_s = settings_number(settings, SETTING_POOL_MAX_AGE_S);

    if (stock == NULL)
        return NULL;
    stock->ops = ops;
    stock->log = log;
    stock->site = site;
    stock->capacity = (size_t)settings_number(settings, SETTING_POOL);
    stock->max_age_ns = max_age_s * NS_PER_S;
    atomic_init(&stock->used_by, 0);
    atomic_init(&stock->used_ns, 0);
    atomic_init(&stock->interval_ns, 0);
    atomic_init(&stock->not_before_ns, 0);
    atomic_init(&stock->batch, stock->capacity);
    if (stock->capacity == 1)
        return stock;
    stock->pool = key_pool_new(stock->capacity, stock->max_age_ns);
    if (stock->pool == NULL) {
        OPENSSL_free(stock);
        return NULL;
    }
    return stock;
}

/* Tells of a reservation that nobody will use, and closes what is open. */
static void lose(const struct stock *stock, const struct ahead_key *item, const char *why)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&item->ref.id, id);
    log_line(stock->log, LOG_LEVEL_INFO, "key lost: reserved ahead and %s, key_id=%s", why, id);
    if (stock->ops->abandon != NULL)
        stock->ops->abandon(site_state(stock->site, (size_t)item->member), &item->ref);
}

void stock_free(struct stock *stock)
{
    struct key_pool_counts counts;

    if (stock == NULL)
        return;
    if (stock->pool != NULL) {
        key_pool_count(stock->pool, &counts);
        if (counts.reserved > 0)
            log_line(stock->log, LOG_LEVEL_INFO,
                     "reserved ahead: %" PRIu64 " keys, of which %" PRIu64 " were used, %" PRIu64
                     " grew too old, %" PRIu64 " are lost now",
                     counts.reserved, counts.used, counts.too_old, counts.left);
    }
    key_pool_free(stock->pool);
    OPENSSL_free(stock);
}

static void put(void *argument, size_t member, const struct key_ref *ref, struct secret *key,
                int64_t asked_ns)
{
    struct stock *stock = argument;
    struct ahead_key item = {*ref, (int)member, asked_ns, key};

    if (!key_pool_put(stock->pool, &item, monotonic_ns()))
        lose(stock, &item, "too old for the key server, or one too many");
}

static void note_end(void *argument, size_t asked, const struct status *failure)
{
    struct stock *stock = argument;

    if (failure->outcome == OUTCOME_OK) {
        atomic_store(&stock->batch, stock->capacity);
        return;
    }
    log_line(stock->log, LOG_LEVEL_WARN, "no keys ahead of need: %s", failure->text);
    atomic_store(&stock->not_before_ns, monotonic_ns() + PAUSE_S * NS_PER_S);
    atomic_store(&stock->batch, asked > 1 ? asked / 2 : 1);
}

/* Whether reservations are on their way. */
static bool go_on(struct stock *stock, const struct deadline *deadline)
{
    struct advance advance = {put, note_end, stock};

    return site_advance(stock->site, deadline, &advance);
}

bool stock_look(struct stock *stock)
{
    struct deadline now = deadline_in_ms(0);

    go_on(stock, &now);
    return stock->pool != NULL && key_pool_has_fresh(stock->pool, monotonic_ns()) &&
           (stock->ops->collect == NULL || site_has_any(stock->site));
}

/* One whose key is still to be read is of no use while its key server hangs. */
static bool is_usable(const struct stock *stock, const struct ahead_key *item)
{
    return item->key != NULL || site_has(stock->site, (size_t)item->member);
}

/* One that is fresh enough; those that are not are reported. */
static bool find(struct stock *stock, struct ahead_key *item)
{
    for (size_t i = 0; i <= KEY_POOL_MAX; i++) {
        switch (key_pool_take(stock->pool, item, monotonic_ns())) {
        case KEY_POOL_FOUND:
            if (is_usable(stock, item))
                return true;
            lose(stock, item, "its key server is left out");
            break;
        case KEY_POOL_TOO_OLD:
            lose(stock, item, "too old for the key server");
            break;
        case KEY_POOL_EMPTY:
            return false;
        }
    }
    return false;
}

bool stock_take(struct stock *stock, const struct deadline *deadline, struct ahead_key *item)
{
    struct deadline now = deadline_in_ms(0), half;
    bool on_their_way = go_on(stock, &now);

    if (stock->pool == NULL)
        return false;
    if (find(stock, item))
        return true;
    if (!on_their_way)
        return false;
    half = deadline_in_ms(deadline_left_ms(deadline) / 2);
    go_on(stock, &half);
    return find(stock, item);
}

/* A process that makes one handshake reserves one key: its first use says nothing about a next. */
static bool note_use(struct stock *stock, int64_t now_ns)
{
    bool used_before = atomic_exchange(&stock->used_by, getpid()) == getpid();
    int64_t gap_ns = now_ns - atomic_exchange(&stock->used_ns, now_ns);
    int64_t interval_ns = atomic_load(&stock->interval_ns);

    if (!used_before)
        return false;
    if (gap_ns > stock->max_age_ns)
        gap_ns = stock->max_age_ns;
    if (interval_ns == 0 || gap_ns > interval_ns)
        interval_ns = interval_ns == 0 ? gap_ns : (3 * interval_ns + gap_ns) / 4;
    else
        interval_ns = (interval_ns + gap_ns) / 2;
    atomic_store(&stock->interval_ns, interval_ns);
    return true;
}

/* As many as will be used before they are too old, if it goes on like this. */
static size_t target(const struct stock *stock)
{
    int64_t interval_ns = atomic_load(&stock->interval_ns);
    int64_t uses = interval_ns > 0 ? stock->max_age_ns / interval_ns : KEY_POOL_MAX;

    return uses < (int64_t)stock->capacity ? (size_t)uses : stock->capacity;
}

void stock_refill(struct stock *stock)
{
    struct deadline now = deadline_in_ms(0);
    int64_t now_ns = monotonic_ns();
    size_t wanted, batch, level;

    if (stock->pool == NULL || !note_use(stock, now_ns))
        return;
    level = key_pool_level(stock->pool);
    wanted = target(stock);
    if (wanted < 2 || level > wanted / 2 || now_ns < atomic_load(&stock->not_before_ns))
        return;
    wanted -= level;
    batch = atomic_load(&stock->batch);
    /* The request leaves at once; its answer is for a later use. */
    if (site_begin(stock->site, wanted < batch ? wanted : batch))
        go_on(stock, &now);
}
