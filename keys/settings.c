/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "etsi/etsi014.h"
#include "keys/pem_file.h"

enum { URI_MAX_CHARS = 255 };

struct settings {
    bool absent;
    struct status fault;
    char *sae;
    char *peer;
    char *kme;
    enum initiator initiator;
    int timeout_ms;
    enum endpoint_api api;
    enum dialect004 dialect;
    char *source_uri;
    char *destination_uri;
    struct endpoint *endpoint;
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
    settings->initiator = settings->api == ENDPOINT_ETSI004 ? INITIATOR_CLIENT : INITIATOR_SERVER;
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
    if (settings->api != ENDPOINT_ETSI004 || settings->initiator == INITIATOR_CLIENT)
        return true;
    return status_fail(&settings->fault, OUTCOME_CONFIG,
                       "initiator = 'server' needs ETSI 014: with %s the client opens the stream; "
                       "use initiator = client",
                       settings->kme);
}

static bool take_timeout(struct settings *settings, const char *value)
{
    char *end;
    long number;

    settings->timeout_ms = TIMEOUT_MS_DEFAULT;
    if (value == NULL)
        return true;
    errno = 0;
    number = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number < TIMEOUT_MS_MIN ||
        number > TIMEOUT_MS_MAX)
        return status_fail(&settings->fault, OUTCOME_CONFIG,
                           "timeout-ms = '%s' is not a number from %d to %d", value, TIMEOUT_MS_MIN,
                           TIMEOUT_MS_MAX);
    settings->timeout_ms = (int)number;
    return true;
}

static bool take_kme(struct settings *settings, const char *value, struct endpoint_address *address)
{
    if (value == NULL || *value == '\0')
        return status_fail(&settings->fault, OUTCOME_CONFIG,
                           "kme is not set: it is the key server's URL, https://HOST:PORT or "
                           "etsi004://HOST:PORT");
    settings->kme = OPENSSL_strdup(value);
    if (settings->kme == NULL)
        return status_fail(&settings->fault, OUTCOME_INTERNAL, "out of memory for settings");
    if (!endpoint_address_parse(value, address, &settings->fault))
        return status_prefix(&settings->fault, "kme");
    settings->api = address->api;
    return true;
}

static bool take_endpoint(struct settings *settings, const char *const *values,
                          const struct endpoint_address *address)
{
    static const enum setting_name files[] = {SETTING_CERT, SETTING_KEY, SETTING_CA};
    struct buf pem[3];
    bool ok = true;

    for (size_t i = 0; i < 3; i++)
        buf_init(&pem[i], ENDPOINT_PEM_MAX_BYTES);
    for (size_t i = 0; i < 3 && ok; i++)
        ok = pem_file_read(setting_text(files[i]), values[files[i]], &pem[i], &settings->fault);
    if (ok) {
        settings->endpoint = endpoint_new(address, &pem[0], &pem[1], &pem[2]);
        if (settings->endpoint == NULL)
            status_fail(&settings->fault, OUTCOME_INTERNAL, "out of memory for settings");
    }
    for (size_t i = 0; i < 3; i++)
        buf_free(&pem[i]);
    return settings->endpoint != NULL;
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
    if (value == NULL && settings->api != ENDPOINT_ETSI004)
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
    struct endpoint_address address;

    if (take_kme(settings, values[SETTING_KME], &address) && take_saes(settings, values) &&
        take_initiator(settings, values[SETTING_INITIATOR]) && check_initiator(settings) &&
        take_etsi004(settings, values) && take_timeout(settings, values[SETTING_TIMEOUT_MS]))
        take_endpoint(settings, values, &address);
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
    endpoint_free(settings->endpoint);
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

int settings_timeout_ms(const struct settings *settings)
{
    return settings->timeout_ms;
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
    return settings->api;
}

struct endpoint *settings_endpoint(const struct settings *settings)
{
    return settings->endpoint;
}
