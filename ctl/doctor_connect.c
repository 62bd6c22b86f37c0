/* SPDX-License-Identifier: Apache-2.0 */
/* A handshake with a TLS server as an ordinary program makes it, and one without QKD. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/doctor_net.h"
#include "ctl/doctor_steps.h"
#include "net/endpoint.h"

enum { CONNECT_LIMIT_MS = 15000, LINE_BYTES = 1024, WORD_BYTES = 300, PORT_BYTES = 6 };

/* Reads HOST:PORT or [IPv6]:PORT as the key server's URL is read. */
static bool parse_address(struct doctor *doctor, struct endpoint_address *address)
{
    char url[WORD_BYTES];
    struct status status = STATUS_INIT;

    snprintf(url, sizeof(url), "https://%s", doctor->choices.connect);
    if (endpoint_address_parse(url, address, &status))
        return true;
    doctor_wrong(doctor, "give it as --connect HOST:PORT", "--connect '%s' is no HOST:PORT",
                 doctor->choices.connect);
    return false;
}

/* Why the handshake failed, by the words of the alert or of our module. */
static const struct {
    const char *words;
    const char *cure;
} failures[] = {
    {"connect: ", "start the TLS server, or write its address behind --connect"},
    {"alert handshake failure",
     "let the server's Groups have one of ours (with its own qkdctl doctor), with TLS 1.3"},
    {"no suitable key share", "let the lines Groups of both ends have a group in common, with the "
                              "same number (codepoint-GROUP)"},
    {"no shared group", "let the lines Groups of both ends have a group in common, with the same "
                        "number (codepoint-GROUP)"},
    {"alert protocol version", "let the server allow TLS 1.3"},
    {"unsupported protocol", "let the server allow TLS 1.3"},
    {"alert illegal parameter",
     "see that both ends use the same initiator, API and codepoint-GROUP, that peer names the "
     "other end on both, and that both key servers are a pair; the server's log (QKD_LOG=error) "
     "has the reason"},
    {"alert internal error", "look for the reason at the server: QKD_LOG=error in its environment, "
                             "or qkdctl doctor with its file"},
    {"bad record mac", "see that both key servers are a pair: they delivered different keys"},
    {"", "look for the reason at the server, too: QKD_LOG=error in its environment"},
};

static const char *cure_of(const char *reason)
{
    size_t i = 0;

    while (strstr(reason, failures[i].words) == NULL)
        i++;
    return failures[i].cure;
}

/* The first reason of the queue is the module's, if it has one. */
static void say_failure(struct doctor *doctor, const struct doctor_program *program,
                        const char *server)
{
    char reason[LINE_BYTES], last[LINE_BYTES] = "", first[LINE_BYTES] = "no reason is given";

    if (program->end != PROGRAM_EXITED) {
        doctor_program_stage(program, last, sizeof(last));
        doctor_wrong(doctor,
                     "see to the server, which may take connections and not answer; report "
                     "a crash with the file",
                     "a program that made a handshake with %s %s at: %s", server,
                     program->end == PROGRAM_HUNG ? "hung" : "crashed", last);
        return;
    }
    for (size_t i = 0; doctor_program_line(program, "handshake-error", i, reason, sizeof(reason));
         i++) {
        if (i == 0)
            memcpy(first, reason, sizeof(first));
        memcpy(last, reason, sizeof(last));
    }
    doctor_wrong(doctor, cure_of(first), "the handshake with %s failed: %s%s%s", server, first,
                 strcmp(first, last) != 0 ? "; " : "", strcmp(first, last) != 0 ? last : "");
}

static bool is_done(const struct doctor_program *program)
{
    char text[LINE_BYTES];

    return program->end == PROGRAM_EXITED &&
           doctor_program_line(program, "handshake", 0, text, sizeof(text)) &&
           strcmp(text, "done") == 0;
}

/* "negotiated VERSION GROUP" */
static void say_success(struct doctor *doctor, const struct doctor_program *program,
                        const char *server)
{
    char line[LINE_BYTES] = "", version[WORD_BYTES] = "?", name[DOCTOR_NAME_BYTES] = "?";
    struct doctor_group group;
    char cure[DOCTOR_CURE_BYTES];

    doctor_program_line(program, "negotiated", 0, line, sizeof(line));
    sscanf(line, "%299s %63s", version, name);
    if (doctor_find_group(doctor, name, &group) && group.is_ours) {
        doctor->keys_used++;
        doctor_ok(doctor, "a handshake with %s used the QKD group %s (%s)", server, name, version);
        return;
    }
    if (doctor->tls_section != NULL)
        doctor_cure(cure, "let only QKD groups stand in section [%s], and MinProtocol = TLSv1.3",
                    doctor->tls_section);
    else
        doctor_cure(cure, "give all programs QKD groups, as the step 'tls' says");
    doctor_wrong(doctor, cure, "a handshake with %s went without QKD: %s, group %s", server,
                 version, name);
}

/* What programs that verify the server think of its certificate, apart from who issued it. */
static const struct {
    const char *line;
    enum finding_outcome outcome;
    const char *cure;
} cert_faults[] = {
    {"certificate-invalid", FINDING_WRONG,
     "renew the TLS server's certificate, or set this machine's clock"},
    {"certificate-name", FINDING_WARNING,
     "use a name that the certificate has, or let the server have a certificate for this one"},
    {"certificate-ends", FINDING_WARNING, "renew the TLS server's certificate"},
};

static void say_certificate(struct doctor *doctor, const struct doctor_program *program)
{
    char name[WORD_BYTES], text[WORD_BYTES];
    bool sound = true;

    if (!doctor_program_line(program, "certificate", 0, name, sizeof(name)))
        return;
    for (size_t i = 0; i < sizeof(cert_faults) / sizeof(cert_faults[0]); i++) {
        if (!doctor_program_line(program, cert_faults[i].line, 0, text, sizeof(text)))
            continue;
        sound = false;
        if (cert_faults[i].outcome == FINDING_WRONG)
            doctor_wrong(doctor, cert_faults[i].cure, "the server's certificate, %s: it %s", name,
                         text);
        else
            doctor_warn(doctor, cert_faults[i].cure, "the server's certificate, %s: it %s", name,
                        text);
    }
    if (sound)
        doctor_ok(doctor, "the server's certificate is for this name: %s", name);
}

static bool run_one(struct doctor *doctor, const struct endpoint_address *address, const char *kind,
                    struct doctor_program *program)
{
    const char *const words[] = {"connect", address->host, address->port, kind, NULL};
    struct status status = STATUS_INIT;

    if (doctor_program_run(program, doctor->path, words, CONNECT_LIMIT_MS, &status))
        return true;
    doctor_wrong(doctor, "try again", "%s", status.text);
    return false;
}

/* What an attacker in the way could make of an ordinary client. */
static void try_plain(struct doctor *doctor, const struct endpoint_address *address)
{
    struct doctor_program program = {.end = PROGRAM_NOT_RUN};
    char line[LINE_BYTES] = "";

    if (run_one(doctor, address, "plain", &program) && is_done(&program)) {
        doctor_program_line(&program, "negotiated", 0, line, sizeof(line));
        doctor_warn(doctor,
                    "if all of its clients have QKD, let the server have QKD groups only and "
                    "MinProtocol = TLSv1.3",
                    "the server takes a client without QKD, too (%s)", line);
    } else {
        doctor_ok(doctor, "the server refuses a client without QKD");
    }
    doctor_program_free(&program);
}

void doctor_connect(struct doctor *doctor)
{
    struct doctor_program program = {.end = PROGRAM_NOT_RUN};
    struct endpoint_address address;

    if (doctor->choices.connect == NULL) {
        doctor_not_tried(doctor, "no --connect was given");
        return;
    }
    if (!parse_address(doctor, &address))
        return;
    if (run_one(doctor, &address, "own", &program) && is_done(&program)) {
        say_success(doctor, &program, doctor->choices.connect);
        say_certificate(doctor, &program);
        try_plain(doctor, &address);
    } else if (doctor->outcomes[DOCTOR_CONNECT] != FINDING_WRONG) {
        say_failure(doctor, &program, doctor->choices.connect);
    }
    doctor_program_free(&program);
}

/* A socket that listens on this machine alone, and its port. */
static int listen_here(char port[static PORT_BYTES], struct status *status)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, length) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
        snprintf(port, PORT_BYTES, "%u", (unsigned)ntohs(address.sin_port));
        return fd;
    }
    status_fail(status, OUTCOME_INTERNAL, "cannot listen on this machine: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Whether this end knows a reason that is not only what the other end did. */
static bool has_own_reason(const struct doctor_program *program)
{
    char reason[LINE_BYTES];

    if (program->end != PROGRAM_EXITED)
        return true;
    return doctor_program_line(program, "handshake-error", 0, reason, sizeof(reason)) &&
           strstr(reason, " alert ") == NULL && strcmp(reason, DOCTOR_PROGRAM_SILENCE) != 0 &&
           strncmp(reason, DOCTOR_PROGRAM_BROKE, strlen(DOCTOR_PROGRAM_BROKE)) != 0;
}

/* OpenSSL's words for a missing module are those for a mistake in Groups, so it takes a doctor with
 * that file to find the cause. */
static bool say_early_end(struct doctor *doctor, const struct doctor_program *server)
{
    char stage[WORD_BYTES], reason[LINE_BYTES], cure[DOCTOR_CURE_BYTES];

    doctor_program_stage(server, stage, sizeof(stage));
    if (strcmp(stage, DOCTOR_PROGRAM_HANDSHAKE) == 0)
        return false;
    if (server->end != PROGRAM_EXITED)
        snprintf(reason, sizeof(reason), "it %s", server->end == PROGRAM_HUNG ? "hung" : "crashed");
    else if (doctor_program_loaded(server, reason, sizeof(reason)) &&
             !doctor_program_line(server, "handshake-error", 0, reason, sizeof(reason)))
        return false;
    doctor_wrong(doctor,
                 doctor_cure(cure, "examine that file by itself: qkdctl doctor --config %s",
                             doctor->choices.peer_config),
                 "a program with the other SAE's file failed before the handshake, at: %s: %s",
                 stage, reason);
    return true;
}

/* The client's reason is often only the alert that the server sent for a reason of its own, or
 * that the server is not there. */
static void say_both(struct doctor *doctor, const struct doctor_program *client,
                     const struct doctor_program *server)
{
    if (is_done(client))
        say_success(doctor, client, "the other SAE's file");
    else if (has_own_reason(client))
        say_failure(doctor, client, "the other SAE's file");
    else if (say_early_end(doctor, server))
        return;
    else if (has_own_reason(server))
        say_failure(doctor, server, "the other SAE's file, at its end,");
    else
        say_failure(doctor, client, "the other SAE's file");
}

void doctor_handshake(struct doctor *doctor)
{
    static const char *const serve[] = {"serve", NULL};
    struct doctor_program client = {.end = PROGRAM_NOT_RUN}, server = {.end = PROGRAM_NOT_RUN};
    char port[PORT_BYTES];
    const char *const words[] = {"connect", "127.0.0.1", port, "own", NULL};
    struct status status = STATUS_INIT;
    int listener;

    if (doctor->choices.peer_config == NULL || doctor_tls_groups(doctor) == NULL) {
        doctor_not_tried(doctor, doctor->choices.peer_config == NULL
                                     ? "no --peer-config was given"
                                     : "this file gives no groups to all programs");
        return;
    }
    listener = listen_here(port, &status);
    if (listener >= 0 && doctor_program_start(&server, doctor->choices.peer_config, serve, listener,
                                              CONNECT_LIMIT_MS, &status)) {
        doctor_program_run(&client, doctor->path, words, CONNECT_LIMIT_MS, &status);
        doctor_program_end(&server, &status);
    }
    if (status.outcome == OUTCOME_OK)
        say_both(doctor, &client, &server);
    else
        doctor_wrong(doctor, "try again", "%s", status.text);
    doctor_program_free(&client);
    doctor_program_free(&server);
    if (listener >= 0)
        close(listener);
}
