/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A laboratory: a folder with two key servers, their certificates, and the openssl.cnf of two
 * SAEs. `lab init` writes it; everything else reads its lab.env and works with the ports and
 * the process IDs that it names.
 */
#ifndef QKD_CTL_LAB_H
#define QKD_CTL_LAB_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/status.h"
#include "net/endpoint.h"

enum lab_kme { LAB_KME_A, LAB_KME_B, LAB_KME_COUNT };

/* Offset of each port from the first one of its key server. */
enum lab_port { LAB_PORT_014, LAB_PORT_004, LAB_PORT_ADMIN, LAB_PORT_LINK };

enum {
    LAB_BASE_PORT_DEFAULT = 17400,
    LAB_BASE_PORT_MAX = 65535 - 13,
    LAB_GROUPS_MAX_BYTES = 1024,
    LAB_RATE_BPS_DEFAULT = 1000000,
    LAB_CAPACITY_BITS_DEFAULT = 8388608
};

struct lab {
    char dir[PATH_MAX]; /* absolute */
    int64_t base_port;
    pid_t pids[LAB_KME_COUNT]; /* as lab.env names them; 0 = none */
    int lock_fd;               /* held while this lab is open; -1 = not held */
};

/* All groups that the provider may offer with OpenSSL's own algorithms, best first. */
#define LAB_GROUPS_DEFAULT                                                                         \
    "qkd_x25519mlkem768:qkd_mlkem768:qkd_mlkem1024:qkd_mlkem512:"                                  \
    "qkd_secp256r1mlkem768:qkd_secp384r1mlkem1024:"                                                \
    "qkd_x25519:qkd_secp256r1:qkd_secp384r1"

/* What only `lab init` decides. */
struct lab_choices {
    enum endpoint_api api; /* that the SAEs speak; the key servers serve both */
    const char *initiator; /* "client" or "server" */
    const char *groups;    /* of TLS, as in openssl.cnf, best first */
    int64_t rate_bps;      /* bit/s of the simulated quantum channel */
    int64_t capacity_bits; /* of each key store */
};

const char *lab_kme_name(enum lab_kme kme);
unsigned lab_port(const struct lab *lab, enum lab_kme kme, enum lab_port which);

/* Writes DIR/NAME (printf-style) to path; false when it is too long. */
bool lab_path(const struct lab *lab, char path[static PATH_MAX], struct status *status,
              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reads DIR/lab.env, and with `lock` keeps other calls for the same lab out until lab_close. */
bool lab_open(const char *dir, bool lock, struct lab *lab, struct status *status);
void lab_close(struct lab *lab);

/* Writes lab.env with the ports and the process IDs. */
bool lab_write_env(const struct lab *lab, struct status *status);

/* DIR/pki: the authority and everybody's certificate and key. */
bool lab_write_pki(const struct lab *lab, struct status *status);

/* kme-a.store-key, kme-b.store-key: 32 random octets each. */
bool lab_write_store_keys(const struct lab *lab, struct status *status);

/* kme-a.conf, kme-b.conf, alice/openssl.cnf, bob/openssl.cnf. */
bool lab_write_configs(const struct lab *lab, const struct lab_choices *choices,
                       struct status *status);

enum { LAB_STREAM_STATES_MAX = 8 };

/* Key streams (ETSI 004) in one state, as the key server calls it. */
struct lab_streams {
    char state[24];
    int64_t count;
};

/* One key server as it is now. */
struct lab_kme_state {
    bool running;
    bool healthy;
    char health[128]; /* "ok", why it is not, or why it could not be asked */
    bool figures_known;
    bool link_up;                       /* this and below: of all its links, when it answered */
    int64_t available_bits;             /* what initiators of this site can still reserve */
    int64_t stored_bits, capacity_bits; /* of both ends together */
    int64_t rate_bps;                   /* of the simulated channel, as configured */
    int64_t delivered_to_initiators;
    int64_t delivered_to_responders;
    struct lab_streams streams[LAB_STREAM_STATES_MAX];
    size_t stream_states; /* 0 when it tells of none */
};

/* Asks the admin side within the deadline. Never fails: what could not be had is in `health`. */
void lab_kme_ask(const struct lab *lab, enum lab_kme kme, const struct deadline *deadline,
                 struct lab_kme_state *state);

/* Whether the process is alive and is the key server of this lab. */
bool lab_kme_running(const struct lab *lab, enum lab_kme kme);

/* Starts one as a daemon, sets its process ID and writes lab.env. */
bool lab_kme_start(struct lab *lab, enum lab_kme kme, struct status *status);

/* SIGTERM, and SIGKILL with a message when that is not enough within five seconds. Signals
 * nothing that is not the key server of this lab. Clears the process ID and writes lab.env. */
bool lab_kme_stop(struct lab *lab, enum lab_kme kme, struct status *status);

/* Ends one with SIGKILL, as a crash does, and waits until it is gone. */
bool lab_kme_kill(struct lab *lab, enum lab_kme kme, struct status *status);

/* Waits until both key servers have keys, at most 15 s. */
bool lab_wait_for_keys(struct lab *lab, struct status *status);

#endif
