/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets every call fail, one at a time.
 *
 *     fault cold|warm|ahead GROUP CLIENT.cnf SERVER.cnf
 *
 * cold: from loading the configuration on, in new library contexts each time. warm: in library
 * contexts that have exchanged keys before, with connections to their key servers. ahead: in new
 * ones that have exchanged keys before, so that reservations ahead of need (pool) are under way.
 * After each run with a fault the next one without must succeed, where the settings could be read.
 */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "provider/reasons.h"
#include "tests/fault/exchange.h"
#include "tests/fault/fault.h"

enum { CALLS_MAX = 2000 };

enum temperature { COLD, WARM, AHEAD, TEMPERATURES };

static const char *const temperature_names[TEMPERATURES] = {"cold", "warm", "ahead"};

struct scenario {
    enum temperature temperature;
    const char *group;
    const char *client_conf, *server_conf;
    OSSL_LIB_CTX *client, *server;
    unsigned survived;
};

enum allowed {
    ALLOWED_MEMORY = 1,
    ALLOWED_KME = 2,
    ALLOWED_FILE = 4,
    ALLOWED_INNER = 8,
    /* A claim whose answer was lost is repeated, and then refused: the key is spent. */
    ALLOWED_SPENT = 16
};

/* What may come of a function's failure, apart from success where it is survivable. */
static const struct expectation {
    const char *function;
    unsigned allowed;
    /* Whether there are places where the exchange goes on as if nothing had happened: */
    const char *survivable;
} expectations[] = {
    {"CRYPTO_malloc", ALLOWED_MEMORY, NULL},
    {"CRYPTO_zalloc", ALLOWED_MEMORY, "a connection that cannot be kept is closed"},
    {"CRYPTO_secure_zalloc", ALLOWED_MEMORY | ALLOWED_KME, NULL},
    {"CRYPTO_strdup", ALLOWED_MEMORY, NULL},
    {"CRYPTO_clear_realloc", ALLOWED_MEMORY | ALLOWED_KME | ALLOWED_FILE | ALLOWED_SPENT,
     "the request is made again"},
    {"OSSL_LIB_CTX_new", ALLOWED_MEMORY, NULL},
    {"OSSL_LIB_CTX_new_child", ALLOWED_MEMORY, NULL},
    {"OSSL_PROVIDER_load", ALLOWED_MEMORY, NULL},
    {"BIO_meth_new", ALLOWED_MEMORY, NULL},
    {"BIO_new", ALLOWED_MEMORY, NULL},
    {"BIO_new_mem_buf", ALLOWED_MEMORY, NULL},
    {"X509_new_ex", ALLOWED_FILE, "a chain or a list of CAs ends with it"},
    {"PEM_read_bio_X509", ALLOWED_FILE, "a chain or a list of CAs ends with it"},
    {"PEM_read_bio_PrivateKey_ex", ALLOWED_FILE, NULL},
    {"X509_STORE_add_cert", ALLOWED_MEMORY, NULL},
    {"SSL_CTX_new_ex", ALLOWED_MEMORY, NULL},
    {"SSL_CTX_set_cipher_list", ALLOWED_MEMORY, NULL},
    {"SSL_CTX_use_certificate", ALLOWED_FILE, NULL},
    {"SSL_CTX_use_PrivateKey", ALLOWED_FILE, NULL},
    {"SSL_new", ALLOWED_MEMORY, NULL},
    {"SSL_CTX_set_ex_data", ALLOWED_MEMORY, NULL},
    {"SSL_SESSION_dup", 0, "a session that cannot be kept is not resumed"},
    {"SSL_set_session", 0, "a session that cannot be offered is not resumed"},
    {"SSL_set1_host", ALLOWED_MEMORY, NULL},
    {"EVP_PKEY_CTX_new_from_name", ALLOWED_INNER | ALLOWED_MEMORY, NULL},
    {"EVP_PKEY_CTX_new_from_pkey", ALLOWED_INNER, NULL},
    {"EVP_PKEY_generate", ALLOWED_INNER | ALLOWED_MEMORY, NULL},
    {"EVP_PKEY_fromdata", ALLOWED_INNER, NULL},
    {"EVP_PKEY_encapsulate", ALLOWED_INNER, NULL},
    {"EVP_PKEY_decapsulate", ALLOWED_INNER, NULL},
    {"EVP_PKEY_derive", ALLOWED_INNER, NULL},
    {"EVP_PKEY_get1_encoded_public_key", ALLOWED_INNER | ALLOWED_MEMORY, NULL},
    {"EVP_PKEY_new_raw_public_key_ex", ALLOWED_INNER, NULL},
    {"socket", ALLOWED_KME, "the host has another address"},
    {"connect", ALLOWED_KME, "the host has another address"},
    {"poll", ALLOWED_KME | ALLOWED_MEMORY | ALLOWED_SPENT,
     "a connection that was idle is replaced"},
    {"__poll_chk", ALLOWED_KME | ALLOWED_MEMORY, "name resolution looks again"},
    {"send", ALLOWED_KME, "a connection that was idle is replaced"},
    {"recv", ALLOWED_KME | ALLOWED_SPENT, "a connection that was idle is replaced"},
    {"open", ALLOWED_FILE, "there is no log"},
    {"read", ALLOWED_FILE, NULL},
    {"ares_init", ALLOWED_MEMORY, NULL},
    {"ares_getaddrinfo", ALLOWED_KME, NULL},
};

static const struct expectation *expectation_of(const char *function)
{
    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++)
        if (strcmp(expectations[i].function, function) == 0)
            return &expectations[i];
    return NULL;
}

static unsigned class_of(int reason)
{
    switch (reason) {
    case REASON_INTERNAL:
        return ALLOWED_MEMORY;
    case REASON_KME:
        return ALLOWED_KME;
    case REASON_SETTING:
        return ALLOWED_FILE;
    case REASON_INNER_ALGORITHM:
    case REASON_PEER_SHARE:
        return ALLOWED_INNER;
    case REASON_PEER_KEY_ID:
        return ALLOWED_SPENT;
    default:
        return 0;
    }
}

static void end(const struct scenario *scenario, unsigned number, const char *what,
                const char *text)
{
    fprintf(stderr, "fault: %s %s, call %u (%s): %s: %s\n",
            temperature_names[scenario->temperature], scenario->group, number,
            fault_name() != NULL ? fault_name() : "none", what, text);
    exit(1);
}

static bool open_ends(struct scenario *scenario)
{
    scenario->client = exchange_open(scenario->client_conf);
    scenario->server = scenario->client != NULL ? exchange_open(scenario->server_conf) : NULL;
    return scenario->server != NULL;
}

static void close_ends(struct scenario *scenario)
{
    OSSL_LIB_CTX_free(scenario->client);
    OSSL_LIB_CTX_free(scenario->server);
    scenario->client = scenario->server = NULL;
}

static void must_succeed(struct scenario *scenario, unsigned number, const char *what)
{
    struct exchange_result result;

    exchange(scenario->client, scenario->server, scenario->group, &result);
    if (result.end != EXCHANGE_DONE)
        end(scenario, number, what, result.text);
}

/* New library contexts with reservations under way. */
static void begin_ahead(struct scenario *scenario)
{
    /* With the third the status of the key server is known. */
    enum { USES_BEFORE = 3, ARRIVAL_MS = 20 };

    if (!open_ends(scenario))
        end(scenario, 0, "the configuration cannot be loaded", scenario->client_conf);
    for (int i = 0; i < USES_BEFORE; i++)
        must_succeed(scenario, 0, "an exchange before the fault failed");
    /* What is under way has then arrived in every run. */
    poll(NULL, 0, ARRIVAL_MS);
}

enum loading { NOT_LOADED, LOADED_WITH_FAULT, LOADED };

/* The run with the fault; whether the provider loaded, and whether that was before the fault. */
static enum loading run_with_fault(struct scenario *scenario, unsigned number, unsigned *calls,
                                   struct exchange_result *result)
{
    enum loading loading = NOT_LOADED;

    if (scenario->temperature == AHEAD)
        begin_ahead(scenario);
    fault_arm(number);
    if (scenario->temperature != COLD || open_ends(scenario)) {
        loading = fault_name() != NULL ? LOADED_WITH_FAULT : LOADED;
        exchange(scenario->client, scenario->server, scenario->group, result);
    }
    *calls = fault_disarm();
    ERR_clear_error();
    return loading;
}

static void judge(struct scenario *scenario, unsigned number, const struct exchange_result *result)
{
    const struct expectation *expected = expectation_of(fault_name());

    if (expected == NULL)
        end(scenario, number, "nothing is expected of this function", result->text);
    switch (result->end) {
    case EXCHANGE_WRONG:
        end(scenario, number, result->step != NULL ? result->step : "all steps", result->text);
        break;
    case EXCHANGE_DONE:
        /* What was to come ahead of need is asked for when it is needed. */
        if (expected->survivable == NULL && scenario->temperature != AHEAD)
            end(scenario, number, "went on as if nothing had happened", "");
        scenario->survived++;
        break;
    case EXCHANGE_FAILED:
        if ((expected->allowed & class_of(result->reason)) == 0)
            end(scenario, number, "failed for another reason", result->text);
        break;
    }
    if (getenv("FAULT_VERBOSE") != NULL)
        printf("%4u %-34s %-12s %s\n", number, fault_name(),
               result->end == EXCHANGE_DONE ? "survived" : result->step, result->text);
}

/* Whether the run came to that call. */
static bool fail_call(struct scenario *scenario, unsigned number)
{
    struct exchange_result result = {0};
    unsigned calls;
    enum loading loading = run_with_fault(scenario, number, &calls, &result);
    bool reached = fault_name() != NULL;

    if (!reached) {
        if (result.end != EXCHANGE_DONE)
            end(scenario, number, "no fault, and yet it failed", result.text);
    } else if (loading != NOT_LOADED) {
        judge(scenario, number, &result);
    } else if ((expectation_of(fault_name())->allowed & ALLOWED_MEMORY) == 0) {
        end(scenario, number, "kept the provider from loading", "");
    }
    /* Settings are read once: a fault in them is there to stay. */
    if (loading == LOADED && result.reason != REASON_SETTING)
        must_succeed(scenario, number, "the next exchange without a fault failed");
    if (scenario->temperature != WARM)
        close_ends(scenario);
    return reached;
}

/* How many calls failed, one at a time. Octets of the network come in more or fewer pieces from
 * run to run, so that one run without such a call does not mean that there is none. */
static unsigned fail_each_call(struct scenario *scenario)
{
    enum { RUNS = 3 };
    unsigned number = 1;

    for (unsigned missed = 0; missed < RUNS && number <= CALLS_MAX;) {
        if (fail_call(scenario, number)) {
            number++;
            missed = 0;
        } else {
            missed++;
        }
    }
    return number - 1;
}

static unsigned dry_run(struct scenario *scenario)
{
    struct exchange_result result = {0};
    unsigned calls;

    if (run_with_fault(scenario, 0, &calls, &result) == NOT_LOADED || result.end != EXCHANGE_DONE)
        end(scenario, 0, "no fault, and yet it failed", result.text);
    if (scenario->temperature != WARM)
        close_ends(scenario);
    if (calls == 0 || calls > CALLS_MAX)
        end(scenario, 0, "a strange number of calls", "");
    return calls;
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (folder != NULL && readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static enum temperature temperature_of(const char *name)
{
    for (int i = 0; i < TEMPERATURES; i++)
        if (strcmp(name, temperature_names[i]) == 0)
            return (enum temperature)i;
    fprintf(stderr, "fault: '%s' is neither cold, warm nor ahead\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    struct scenario scenario = {0};
    unsigned calls, failed;
    int before;

    if (argc != 5) {
        fprintf(stderr, "usage: fault cold|warm|ahead GROUP CLIENT.cnf SERVER.cnf\n");
        return 2;
    }
    scenario = (struct scenario){.temperature = temperature_of(argv[1]),
                                 .group = argv[2],
                                 .client_conf = argv[3],
                                 .server_conf = argv[4]};
    OPENSSL_init_ssl(0, NULL);
    before = open_descriptors();
    if (scenario.temperature == WARM) {
        if (!open_ends(&scenario))
            end(&scenario, 0, "the configuration cannot be loaded", argv[3]);
        must_succeed(&scenario, 0, "the first exchange failed");
    }
    calls = dry_run(&scenario);
    failed = fail_each_call(&scenario);
    close_ends(&scenario);
    if (open_descriptors() != before)
        end(&scenario, calls, "descriptors were left open", "");
    if (failed < calls / 2 || failed == CALLS_MAX)
        end(&scenario, failed, "the number of calls differs too much from run to run", "");
    printf("%s %s: each of %u calls failed once, %u of them survived\n", argv[1], scenario.group,
           failed, scenario.survived);
    return 0;
}
