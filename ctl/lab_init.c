/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/lab.h"
#include "ctl/options.h"

struct init_options {
    const char *dir;
    const char *api;
    int64_t base_port;
    struct lab_choices choices;
};

static bool take_api(struct init_options *options, struct status *status)
{
    if (strcmp(options->api, "014") == 0) {
        options->choices.api = ENDPOINT_ETSI014;
        return true;
    }
    if (strcmp(options->api, "004") != 0)
        return status_fail(status, OUTCOME_INPUT, "--api '%s' is not 014 or 004", options->api);
    if (strcmp(options->choices.initiator, "server") == 0)
        return status_fail(status, OUTCOME_INPUT,
                           "--initiator server needs --api 014: with ETSI 004 the client opens "
                           "the key stream of a handshake");
    options->choices.api = ENDPOINT_ETSI004;
    return true;
}

/* A list as in openssl.cnf; what else such a file would read in it is refused. */
static bool check_groups(const char *groups, struct status *status)
{
    size_t length = strspn(groups, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_-:/*?");

    if (length == 0 || groups[length] != '\0' || length > LAB_GROUPS_MAX_BYTES)
        return status_fail(status, OUTCOME_INPUT,
                           "--groups '%.64s' is not a list of TLS groups like "
                           "qkd_x25519mlkem768:qkd_x25519",
                           groups);
    return true;
}

static bool parse(int argc, char **argv, struct init_options *options, struct status *status)
{
    const char *words[1];
    size_t word_count;
    const struct option_row rows[] = {
        {"base-port", OPTION_NUMBER, {.number = &options->base_port}, 1024, LAB_BASE_PORT_MAX},
        {"api", OPTION_TEXT, {.text = &options->api}, 0, 0},
        {"initiator", OPTION_TEXT, {.text = &options->choices.initiator}, 0, 0},
        {"groups", OPTION_TEXT, {.text = &options->choices.groups}, 0, 0},
        {"rate-bps", OPTION_NUMBER, {.number = &options->choices.rate_bps}, 1, 1000000000},
        {"capacity-bits",
         OPTION_NUMBER,
         {.number = &options->choices.capacity_bits},
         1024,
         INT32_MAX},
    };

    *options = (struct init_options){.api = "014",
                                     .base_port = LAB_BASE_PORT_DEFAULT,
                                     .choices = {.initiator = "client",
                                                 .groups = LAB_GROUPS_DEFAULT,
                                                 .rate_bps = LAB_RATE_BPS_DEFAULT,
                                                 .capacity_bits = LAB_CAPACITY_BITS_DEFAULT}};
    if (!options_parse(rows, sizeof(rows) / sizeof(rows[0]), argc, argv, words, 1, &word_count,
                       status))
        return false;
    if (word_count != 1)
        return status_fail(status, OUTCOME_INPUT, "lab init needs a folder");
    options->dir = words[0];
    if (strcmp(options->choices.initiator, "client") != 0 &&
        strcmp(options->choices.initiator, "server") != 0)
        return status_fail(status, OUTCOME_INPUT, "--initiator '%s' is not client or server",
                           options->choices.initiator);
    return check_groups(options->choices.groups, status) && take_api(options, status);
}

static bool make_folder(const char *dir, struct lab *lab, struct status *status)
{
    char path[PATH_MAX];

    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        return status_fail(status, OUTCOME_CONFIG, "cannot make %s: %s", dir, strerror(errno));
    if (realpath(dir, lab->dir) == NULL)
        return status_fail(status, OUTCOME_CONFIG, "cannot use %s: %s", dir, strerror(errno));
    /* They would mean something else in one of the files that hold this path. */
    if (strpbrk(lab->dir, "\"'\\$#`\n\r\t") != NULL)
        return status_fail(status, OUTCOME_INPUT,
                           "the path %s has a character that configuration files cannot hold",
                           lab->dir);
    if (!lab_path(lab, path, status, "pki"))
        return false;
    if (access(path, F_OK) == 0)
        return status_fail(
            status, OUTCOME_INPUT,
            "%s already holds a lab; start it with 'qkdctl lab up %s', or end it with 'qkdctl lab "
            "down %s' and remove the folder to make a new one",
            lab->dir, dir, dir);
    return true;
}

static enum exit_code run(int argc, char **argv)
{
    struct lab lab = {.lock_fd = -1};
    struct status status = STATUS_INIT;
    struct init_options options;

    if (!parse(argc, argv, &options, &status))
        return command_misused(&status, "lab");
    lab.base_port = options.base_port;
    if (!make_folder(options.dir, &lab, &status) || !lab_write_pki(&lab, &status) ||
        !lab_write_store_keys(&lab, &status) ||
        !lab_write_configs(&lab, &options.choices, &status) || !lab_write_env(&lab, &status))
        return command_failed(&status);
    printf("A laboratory is in %s; its quantum channel is simulated.\n"
           "Next: qkdctl lab up %s\n",
           lab.dir, options.dir);
    return EXIT_DONE;
}

const struct command lab_command_init = {.name = "init", .run = run};
