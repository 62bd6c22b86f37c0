/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/opensslv.h>

#include "ctl/command.h"

static enum exit_code run(int argc, char **argv)
{
    struct status status = STATUS_INIT;

    if (argc > 1) {
        status_fail(&status, OUTCOME_INPUT, "version does not know what to do with '%s'", argv[1]);
        return command_misused(&status, "version");
    }
    printf("qkdctl %s\n"
           "built with %s\n"
           "running with %s\n",
           QKD_VERSION, OPENSSL_VERSION_TEXT, OpenSSL_version(OPENSSL_VERSION));
    return EXIT_DONE;
}

const struct command command_version = {
    .name = "version",
    .summary = "versions of this program and of its OpenSSL",
    .help = "usage: qkdctl version\n",
    .run = run,
};
