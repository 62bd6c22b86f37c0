/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ordinary program meets that reads this openssl.cnf. qkdctl runs itself once more for
 * it, as a process that has nothing of ours in it but what the file makes OpenSSL load: so a
 * module that crashes or hangs ends that process, and becomes a finding.
 *
 * The program writes lines "NAME VALUE" to its standard output. A line "at WHAT" says what it is
 * about to do.
 */
#ifndef QKD_CTL_DOCTOR_PROGRAM_H
#define QKD_CTL_DOCTOR_PROGRAM_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "ctl/command.h"

/* What it is at while it makes a handshake. */
#define DOCTOR_PROGRAM_HANDSHAKE "the handshake"

/* What an end of a handshake says when the reason is at the other end. */
#define DOCTOR_PROGRAM_SILENCE "the other end did not answer, or closed the connection"
#define DOCTOR_PROGRAM_BROKE "the connection broke"

/* The word that makes qkdctl that program. Not for users. */
#define DOCTOR_PROGRAM "doctor-program"

enum {
    DOCTOR_PROGRAM_MAX_BYTES = 262144, /* of standard output, and of standard error */
    DOCTOR_PROGRAM_WORDS_MAX = 8
};

enum program_end { PROGRAM_NOT_RUN, PROGRAM_EXITED, PROGRAM_CRASHED, PROGRAM_HUNG };

/* Zeroed = not run. */
struct doctor_program {
    pid_t pid;                /* while it runs */
    int streams[2];           /* likewise: where its output comes from */
    struct deadline deadline; /* likewise */
    enum program_end end;
    int number;        /* exit code or signal */
    struct buf out;    /* lines, NUL-terminated */
    struct buf errors; /* standard error, where QKD_LOG=error goes; NUL-terminated */
    bool lost[2];      /* whether there was more than the maximum of out, of errors */
};

/* Runs "qkdctl doctor-program WORDS..." with this OPENSSL_CONF and collects what it writes; it is
 * killed when it has not ended after limit_ms. `words` ends with NULL. False when it could not be
 * run at all; a crash or a hang is no failure of this function. */
bool doctor_program_run(struct doctor_program *program, const char *config,
                        const char *const *words, int limit_ms, struct status *status);

/* The same in two parts. `input` becomes its standard input; -1 = /dev/null. After a start,
 * whatever it returned, comes the end. */
bool doctor_program_start(struct doctor_program *program, const char *config,
                          const char *const *words, int input, int limit_ms, struct status *status);
bool doctor_program_end(struct doctor_program *program, struct status *status);
void doctor_program_free(struct doctor_program *program);

/* The value of the index-th line of this name, copied; false when there are fewer. */
bool doctor_program_line(const struct doctor_program *program, const char *name, size_t index,
                         char *value, size_t value_bytes);

/* What the program was about to do when it ended; "start" before it said anything. */
void doctor_program_stage(const struct doctor_program *program, char *stage, size_t stage_bytes);

/* Whether it could load its file; otherwise why not, copied. */
bool doctor_program_loaded(const struct doctor_program *program, char *cause, size_t cause_bytes);

/* The program's own side: argv[1] is the first word. */
enum exit_code doctor_program_main(int argc, char **argv);

/* Writes one line of a report; the value is made printable and to fit into one line. */
void doctor_program_say(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes each reason of OpenSSL's error queue as a line of this name, oldest first, and empties
 * the queue. */
void doctor_program_say_errors(const char *name);

/* Loads OPENSSL_CONF as OpenSSL does for every program, but without overlooking what goes wrong,
 * and writes what happened. */
bool doctor_program_load(void);

/* Rows of that program: argv is "connect", HOST, PORT, and "own" or "plain"; or "serve", which
 * takes one connection from the listening socket that is its standard input. */
enum exit_code doctor_program_connect(int argc, char **argv);
enum exit_code doctor_program_serve(int argc, char **argv);

#endif
