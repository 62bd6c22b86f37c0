/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "etsi/etsi014.h"
#include "keys/kme_list.h"
#include "keys/pem_file.h"

enum { URI_MAX_CHARS = 255, GROUPS_MAX_CHARS = 255 };

struct settings {
    bool absent;
    struct status fault;
    char *sae;
    char *peer;
    char *kme;
    enum initiator initiator;
    int numbers[SETTING_COUNT]; /* of those with a range */
    struct kme_list kmes;
    enum dialect004 dialect;
    char *source_uri;
    char *destination_uri;
    struct endpoint *endpoints[KME_LIST_MAX];
};

static const char *const setting_texts[SETTING_COUNT] = {
    [SETTING_SAE] = "sae",
    [SETTING_PEER] = "peer",
    [SETTING_KME] = "kme",
    [SETTING_CERT] = "cert",
    [SETTING_KEY] = "key",
    [SETTING_CA] = "ca",
    [SETTING_INITIATOR] = "initiator",
    [SETTING_TIMEOUT_MS] = "timeout-ms",
    [SETTING_SOURCE_URI] = "source-uri",
    [SETTING_DESTINATION_URI] = "destination-uri",
    [SETTING_ETSI004_DIALECT] = "etsi004-dialect",
    [SETTING_KME_GROUPS] = "kme-groups",
    [SETTING_KME_REQUIRE_PQ] = "kme-require-pq",
    [SETTING_POOL] = "pool",
    [SETTING_POOL_MAX_AGE_S] = "pool-max-age-s",
    [SETTING_MAX_KEYS_PER_SECOND] = "max-keys-per-second",
    [SETTING_MAX_KEYS_BURST] = "max-keys-burst",
};

static const struct setting_range ranges[SETTING_COUNT] = {
    [SETTING_TIMEOUT_MS] = {10, TIMEOUT_MS_MAX, 1000},
    [SETTING_POOL] = {1, 1024, 1},
    [SETTING_POOL_MAX_AGE_S] = {1, 3600, 30},
    [SETTING_MAX_KEYS_PER_SECOND] = {1, 1000000, 1000},
    [SETTING_MAX_KEYS_BURST] = {1, 1000000, 1000},
};

static const char *const dialect_texts[] = {
    [DIALECT004_W1] = "w1",
    [DIALECT004_W2] = "w2",
    [DIALECT004_QUBIP] = "qubip",
};

const char *setting_text(enum setting_name name)
{
    return setting_texts[name];
}

static bool take_sae(const char *const *values, enum setting_name name, char **to,
                     struct status *fault)
{
    const char *value = values[name];

    if (value == NULL || *value == '\0')
        return status_fail(fault, OUTCOME_CONFIG, "%s is not set: it names %s SAE",
                           setting_text(name), name == SETTING_SAE ? "our own" : "the other");
    if (strlen(value) > ETSI014_ID_MAX_CHARS)
        return status_fail(fault, OUTCOME_CONFIG, "%s is longer than %d characters",
                           setting_text(name), ETSI014_ID_MAX_CHARS);
    *to = OPENSSL_strdup(value);
    return *to != NULL || status_fail(fault, OUTCOME_INTERNAL, "out of memory for settings");
}

static bool take_saes(struct settings *settings, const char *const *values)
{
    if (!take_sae(values, SETTING_SAE, &settings->sae, &settings->fault) ||
        !take_sae(values, SETTING_PEER, &settings->peer, &settings->fault))
        return false;
    if (strcmp(settings->sae, settings->peer) == 0)
        return status_fail(&settings->fault, OUTCOME_CONFIG,
                           "sae and peer are both '%s'; peer names the other SAE", settings->sae);
    return true;
}

static bool take_initiator(struct settings *settings, const char *value)
{
    settings->initiator =
        settings_api(settings) == ENDPOINT_ETSI004 ? INITIATOR_CLIENT : INITIATOR_SERVER;
    if (value == NULL)
        return true;
    if (strcmp(value, "client") == 0)
        settings->initiator = INITIATOR_CLIENT;
    else if (strcmp(value, "server") == 0)
        settings->initiator = INITIATOR_SERVER;
    else
        return status_fail(&settings->fault, OUTCOME_CONFIG,
                           "initiator = '%s' is neither client nor server", value);
    return true;
}

/* A stream gets its ID at the key server of whoever opens it, and libssl lets a server name it
 * only when the client could no longer join in time. */
static bool check_initiator(struct settings *settings)
{
    if (settings_api(settings) != ENDPOINT_ETSI004 || settings->initiator == INITIATOR_CLIENT)
        return true;
    return status_fail(&settings->fault, OUTCOME_CONFIG,
                       "initiator = 'server' needs ETSI 014: with %s the client opens the stream; "
                       "use initiator = client",
                       settings->kme);
}

const struct setting_range *setting_range(enum setting_name name)
{
    return ranges[name].most != 0 ? &ranges[name] : NULL;
}

static bool take_number(struct settings *settings, enum setting_name name, const char *value)
{
    const struct setting_range *range = &ranges[name];
    char *end;
    long number;

    settings->numbers[name] = range->by_default;
    if (value == NULL)
        return true;
    errno = 0;
    number = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number < range->least ||
        number > range->most)
        return status_fail(&settings->fault, OUTCOME_CONFIG,
                           "%s = '%s' is not a number from %d to %d", setting_text(name), value,
                           range->least, range->most);
    settings->numbers[name] = (int)number;
    return true;
}

static bool take_numbers(struct settings *settings, const char *const *values)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (setting_range((enum setting_name)i) != NULL &&
            !take_number(settings, (enum setting_name)i, values[i]))
            return false;
    return true;
}

static bool take_kme(struct settings *settings, const char *value)
{
    if (value == NULL || *value == '\0')
        return status_fail(&settings->fault, OUTCOME_CONFIG,
                           "kme is not set: it is the key server's URL, https://HOST:PORT or "
                           "etsi004://HOST:PORT");
    settings->kme = OPENSSL_strdup(value);
    if (settings->kme == NULL)
        return status_fail(&settings->fault, OUTCOME_INTERNAL, "out of memory for settings");
    return kme_list_parse(value, &settings->kmes, &settings->fault) ||
           status_prefix(&settings->fault, "kme");
}

/* What OpenSSL makes of the list shows when it is used. */
static bool take_tls(const char *const *values, struct endpoint_tls *tls, struct status *fault)
{
    const char *require = values[SETTING_KME_REQUIRE_PQ];

    tls->groups = values[SETTING_KME_GROUPS];
    if (tls->groups != NULL && (*tls->groups == '\0' || strlen(tls->groups) > GROUPS_MAX_CHARS))
        return status_fail(fault, OUTCOME_CONFIG,
                           "kme-groups = '%s' is not a list such as X25519MLKEM768:X25519 of at "
                           "most %d characters",
                           tls->groups, GROUPS_MAX_CHARS);
    tls->require_pq = require != NULL && strcmp(require, "yes") == 0;
    if (require != NULL && !tls->require_pq && strcmp(require, "no") != 0)
        return status_fail(fault, OUTCOME_CONFIG, "kme-require-pq = '%s' is neither yes nor no",
                           require);
    if (tls->require_pq && tls->groups != NULL && strcasestr(tls->groups, "MLKEM") == NULL &&
        strcasestr(tls->groups, "DEFAULT") == NULL)
        return status_fail(fault, OUTCOME_CONFIG,
                           "kme-require-pq = yes, and kme-groups = '%s' names no post-quantum "
                           "hybrid (MLKEM)",
                           tls->groups);
    return true;
}

enum { PEM_CERT, PEM_KEY, PEM_CA, PEM_COUNT };

/* Each endpoint has the three texts for itself. */
static bool add_endpoint(struct settings *settings, size_t place, const struct endpoint_tls *tls,
                         const struct buf *pem)
{
    struct buf copies[PEM_COUNT];
    bool ok = true;

    for (size_t i = 0; i < PEM_COUNT; i++) {
        buf_init(&copies[i], ENDPOINT_PEM_MAX_BYTES);
        buf_put(&copies[i], pem[i].data, pem[i].length);
        ok = ok && !copies[i].failed;
    }
    if (ok)
        settings->endpoints[place] =
            endpoint_new(&settings->kmes.entries[place].address, tls, &copies[PEM_CERT],
                         &copies[PEM_KEY], &copies[PEM_CA]);
    for (size_t i = 0; i < PEM_COUNT; i++)
        buf_free(&copies[i]);
    return settings->endpoints[place] != NULL ||
           status_fail(&settings->fault, OUTCOME_INTERNAL, "out of memory for settings");
}

static bool take_endpoints(struct settings *settings, const char *const *values)
{
    static const enum setting_name files[PEM_COUNT] = {SETTING_CERT, SETTING_KEY, SETTING_CA};
    struct endpoint_tls tls;
    struct buf pem[PEM_COUNT];
    bool ok = take_tls(values, &tls, &settings->fault);

    for (size_t i = 0; i < PEM_COUNT; i++)
        buf_init(&pem[i], ENDPOINT_PEM_MAX_BYTES);
    for (size_t i = 0; i < PEM_COUNT && ok; i++)
        ok = pem_file_read(setting_text(files[i]), values[files[i]], &pem[i], &settings->fault);
    for (size_t i = 0; i < settings->kmes.count && ok; i++)
        ok = add_endpoint(settings, i, &tls, pem);
    for (size_t i = 0; i < PEM_COUNT; i++)
        buf_free(&pem[i]);
    return ok;
}

static bool is_uri(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return length <= URI_MAX_CHARS && strstr(text, "://") != NULL;
}

/* sae://SAE unless the setting says otherwise; NULL where nobody needs one. */
static bool take_uri(struct settings *settings, enum setting_name name, const char *value,
                     const char *sae, char **to)
{
    char uri[URI_MAX_CHARS + ETSI014_ID_MAX_CHARS];

    /* An SAE ID of ETSI 014 need not fit a URI. */
    if (value == NULL && settings_api(settings) != ENDPOINT_ETSI004)
        return true;
    snprintf(uri, sizeof(uri), "%s%s", value != NULL ? "" : "sae://", value != NULL ? value : sae);
    if (!is_uri(uri))
        return status_fail(&settings->fault, OUTCOME_CONFIG,
                           "%s = '%s' is not a URI such as sae://alice of at most %d characters",
                           setting_text(name), uri, URI_MAX_CHARS);
    *to = OPENSSL_strdup(uri);
    return *to != NULL ||
           status_fail(&settings->fault, OUTCOME_INTERNAL, "out of memory for settings");
}

static bool take_dialect(struct settings *settings, const char *value)
{
    settings->dialect = DIALECT004_W1;
    for (size_t i = 0; value != NULL && i < sizeof(dialect_texts) / sizeof(dialect_texts[0]); i++) {
        if (strcmp(value, dialect_texts[i]) == 0) {
            settings->dialect = (enum dialect004)i;
            return true;
        }
    }
    return value == NULL ||
           status_fail(&settings->fault, OUTCOME_CONFIG,
                       "etsi004-dialect = '%s' is not one of w1, w2, qubip", value);
}

/* A connection for each call leaves nothing on which an answer could wait to be read. */
static bool check_pool(struct settings *settings)
{
    if (settings->numbers[SETTING_POOL] == 1 || settings_api(settings) != ENDPOINT_ETSI004 ||
        settings->dialect != DIALECT004_W2)
        return true;
    return status_fail(&settings->fault, OUTCOME_CONFIG,
                       "pool = '%d' needs kept connections, which etsi004-dialect = w2 has not; "
                       "use pool = 1",
                       settings->numbers[SETTING_POOL]);
}

static bool take_etsi004(struct settings *settings, const char *const *values)
{
    return take_dialect(settings, values[SETTING_ETSI004_DIALECT]) &&
           take_uri(settings, SETTING_SOURCE_URI, values[SETTING_SOURCE_URI], settings->sae,
                    &settings->source_uri) &&
           take_uri(settings, SETTING_DESTINATION_URI, values[SETTING_DESTINATION_URI],
                    settings->peer, &settings->destination_uri);
}

static void take_all(struct settings *settings, const char *const *values)
{
    if (take_kme(settings, values[SETTING_KME]) && take_saes(settings, values) &&
        take_initiator(settings, values[SETTING_INITIATOR]) && check_initiator(settings) &&
        take_etsi004(settings, values) && take_numbers(settings, values) && check_pool(settings))
        take_endpoints(settings, values);
}

static bool is_absent(const char *const *values)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (values[i] != NULL)
            return false;
    return true;
}

struct settings *settings_new(const char *const values[static SETTING_COUNT])
{
    struct settings *settings = OPENSSL_zalloc(sizeof(*settings));

    if (settings == NULL)
        return NULL;
    settings->absent = is_absent(values);
    take_all(settings, values);
    return settings;
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < KME_LIST_MAX; i++)
        endpoint_free(settings->endpoints[i]);
    OPENSSL_free(settings->sae);
    OPENSSL_free(settings->peer);
    OPENSSL_free(settings->kme);
    OPENSSL_free(settings->source_uri);
    OPENSSL_free(settings->destination_uri);
    OPENSSL_free(settings);
}

bool settings_absent(const struct settings *settings)
{
    return settings->absent;
}

const struct status *settings_fault(const struct settings *settings)
{
    return &settings->fault;
}

const char *settings_sae(const struct settings *settings)
{
    return settings->sae;
}

const char *settings_peer(const struct settings *settings)
{
    return settings->peer;
}

const char *settings_kme(const struct settings *settings)
{
    return settings->kme;
}

enum initiator settings_initiator(const struct settings *settings)
{
    return settings->initiator;
}

int settings_number(const struct settings *settings, enum setting_name name)
{
    return settings->numbers[name];
}

int settings_timeout_ms(const struct settings *settings)
{
    return settings_number(settings, SETTING_TIMEOUT_MS);
}

enum dialect004 settings_etsi004_dialect(const struct settings *settings)
{
    return settings->dialect;
}

const char *settings_source_uri(const struct settings *settings)
{
    return settings->source_uri;
}

const char *settings_destination_uri(const struct settings *settings)
{
    return settings->destination_uri;
}

enum endpoint_api settings_api(const struct settings *settings)
{
    return settings->kmes.entries[0].address.api;
}

size_t settings_kme_count(const struct settings *settings)
{
    return settings->kmes.count;
}

const char *settings_kme_url(const struct settings *settings, size_t place)
{
    return settings->kmes.entries[place].url;
}

struct endpoint *settings_kme_endpoint(const struct settings *settings, size_t place)
{
    return settings->endpoints[place];
}

struct endpoint *settings_endpoint(const struct settings *settings)
{
    return settings_kme_endpoint(settings, 0);
}
