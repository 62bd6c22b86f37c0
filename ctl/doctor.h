/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "qkdctl doctor": walks the chain from an openssl.cnf to a finished handshake in steps, and says
 * for each what is right, or what is wrong and what to do. The steps are two const tables, run in
 * this order: those that stay on this machine, then those that talk to others. A step that needs
 * one that went wrong is not tried, so that the first wrong finding is the cause of the others.
 */
#ifndef QKD_CTL_DOCTOR_H
#define QKD_CTL_DOCTOR_H

#include <limits.h>
#include <stdint.h>

#include <openssl/conf.h>

#include "base/status.h"
#include "ctl/doctor_program.h"
#include "etsi/etsi014.h"
#include "keys/settings.h"

/* Ascending: the outcome of a step is the highest of its findings. */
enum finding_outcome {
    FINDING_OK,
    FINDING_WARNING,   /* works, but not always, or not only with QKD */
    FINDING_NOT_TRIED, /* because of an earlier step, or because nobody asked for it */
    FINDING_WRONG,
    FINDING_OUTCOME_COUNT
};

/* In the order in which they run. */
enum doctor_step_id {
    DOCTOR_FILE,
    DOCTOR_PROVIDERS,
    DOCTOR_MODULE,
    DOCTOR_SETTINGS,
    DOCTOR_IDENTITY,
    DOCTOR_TLS,
    DOCTOR_LOAD,
    DOCTOR_VERSIONS,
    DOCTOR_CODE_POINTS,
    DOCTOR_GROUPS,
    DOCTOR_FALL_BACK,
    DOCTOR_KME_NAME,
    DOCTOR_KME_TCP,
    DOCTOR_KME_TLS,
    DOCTOR_KME_ANSWER,
    DOCTOR_KME_SAE,
    DOCTOR_KME_PEER,
    DOCTOR_KME_CLOCK,
    DOCTOR_PAIR,
    DOCTOR_HANDSHAKE,
    DOCTOR_CONNECT,
    DOCTOR_STEP_COUNT
};

#define DOCTOR_NEEDS(step) (UINT32_C(1) << (step))

enum {
    DOCTOR_FINDINGS_MAX = 96,
    DOCTOR_TEXT_BYTES = 768,
    DOCTOR_CURE_BYTES = 1024,
};

struct finding {
    enum doctor_step_id step;
    enum finding_outcome outcome;
    char text[DOCTOR_TEXT_BYTES]; /* one sentence without a full stop, printable */
    char cure[DOCTOR_CURE_BYTES]; /* what to do; "" with FINDING_OK and FINDING_NOT_TRIED */
};

/* All borrowed from argv or the environment; NULL = not given. */
struct doctor_choices {
    const char *config;
    const char *peer_config; /* the openssl.cnf of the other SAE, when it is at hand */
    const char *connect;     /* HOST:PORT of a TLS server */
    bool json;
};

/* What a key server of ETSI 014 told about itself. */
struct doctor_kme {
    struct etsi014_status status;
    char date[64]; /* the header field; "" = none */
};

/* What the steps know of each other. Each pointer is NULL until the step that sets it was run
 * without a wrong finding. */
struct doctor {
    struct doctor_choices choices;
    char path[PATH_MAX];           /* of the openssl.cnf */
    CONF *conf;                    /* owned; DOCTOR_FILE */
    const char *init_section;      /* borrowed from conf; DOCTOR_FILE */
    const char *provider_section;  /* borrowed from conf; DOCTOR_PROVIDERS */
    const char *provider_name;     /* by which OpenSSL knows it; likewise */
    const char *tls_section;       /* borrowed from conf, of system_default; DOCTOR_TLS */
    char module[PATH_MAX];         /* the file of the provider; DOCTOR_MODULE */
    char *values[SETTING_COUNT];   /* owned; DOCTOR_SETTINGS */
    struct settings *settings;     /* owned, without a fault; DOCTOR_SETTINGS */
    struct doctor_program program; /* a program with this file; DOCTOR_LOAD */
    size_t kme_place;              /* of the key server that the current steps look at */
    struct doctor_kme kme;         /* DOCTOR_KME_ANSWER */
    int64_t keys_used;             /* of the key servers, by all steps together */
    enum doctor_step_id current;   /* whose findings come in */
    /* Of the steps; with several key servers, those of the one that did best. */
    enum finding_outcome outcomes[DOCTOR_STEP_COUNT];
    bool has_wrong;
    size_t findings_lost; /* beyond the maximum; outcomes and has_wrong know of them */
    size_t finding_count;
    struct finding findings[DOCTOR_FINDINGS_MAX];
};

struct doctor_step {
    enum doctor_step_id id;
    uint32_t needs;    /* DOCTOR_NEEDS(...) of earlier steps that must not be wrong or untried */
    const char *name;  /* one word, for programs */
    const char *title; /* for people */
    void (*run)(struct doctor *doctor);
};

struct doctor_step_table {
    size_t count;
    const struct doctor_step *rows;
};

extern const struct doctor_step_table doctor_steps_local, doctor_steps_net;

/* Whether it is run once for each key server of the site. */
bool doctor_step_is_of_kme(enum doctor_step_id id);

/* NULL when no table has it. */
const struct doctor_step *doctor_step(enum doctor_step_id id);

/* A finding of the current step. `cure` is a sentence in the imperative, of which the last part
 * may be the very line or command: it is printed as it is, and never formatted. */
void doctor_ok(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_not_tried(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_warn(struct doctor *doctor, const char *cure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_wrong(struct doctor *doctor, const char *cure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A cure made of parts: the text, in a buffer of the caller. */
const char *doctor_cure(char cure[static DOCTOR_CURE_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Findings of one outcome so far. */
size_t doctor_count(const struct doctor *doctor, enum finding_outcome outcome);

/* The key server that the current steps look at, and its URL. */
struct endpoint *doctor_kme_endpoint(const struct doctor *doctor);
const char *doctor_kme_url(const struct doctor *doctor);

/* Whether no step went wrong. */
bool doctor_is_sound(const struct doctor *doctor);

/* What is printed while the steps run (nothing with --json), and after the last. */
void doctor_print_head(const struct doctor *doctor);
void doctor_print_step(const struct doctor *doctor, size_t first_finding);
bool doctor_print_end(const struct doctor *doctor, struct status *status);

#endif
