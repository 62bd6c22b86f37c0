/* SPDX-License-Identifier: Apache-2.0 */
/* qkd-kme: the command line, and what a process that holds keys does before anything else. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <event2/event.h>
#include <jansson.h>
#include <openssl/ssl.h>

#include "kme/server.h"
#include "kme/shelf_file.h"
#include "kme/wiping_alloc.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: qkd-kme --config FILE [--check-config]\n"
    "\n"
    "A key server: ETSI GS QKD 014 and 004 for the SAEs of one site, and a link to the\n"
    "key server of the other site. Its quantum channel is SIMULATED.\n"
    "\n"
    "  -c, --config FILE    the configuration\n"
    "  -n, --check-config   read and check the configuration, say what is wrong, end\n"
    "  -V, --version        print the version\n"
    "  -h, --help           print this\n"
    "\n"
    "Runs in the foreground and logs to standard error. SIGTERM and SIGINT end it,\n"
    "SIGHUP makes it read the configuration again.\n";

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Must come first: openssl.cnf of our users names our own provider, which would ask us for keys. */
static bool harden(void)
{
    static const struct rlimit no_core = {0, 0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
        prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0 ||
        sigaction(SIGPIPE, &ignore, NULL) != 0 || sigaction(SIGXFSZ, &ignore, NULL) != 0 ||
        !shelf_file_wipe_memory())
        return false;
    event_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free);
    json_set_alloc_funcs(wiping_malloc, wiping_free);
    raise_descriptor_limit();
    return true;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'n'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct status status = STATUS_INIT;
    const char *config_path = NULL;
    bool check_only = false, done;
    int option;

    while ((option = getopt_long(argc, argv, "c:nVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config_path = optarg;
            break;
        case 'n':
            check_only = true;
            break;
        case 'V':
            puts("qkd-kme " QKD_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    if (config_path == NULL || optind != argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (!harden()) {
        fputs("qkd-kme: cannot prepare the process\n", stderr);
        return EXIT_FAILURE;
    }
    done = check_only ? server_check(config_path, &status) : server_run(config_path, &status);
    if (!done)
        fprintf(stderr, "qkd-kme: %s\n", status.text);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
