/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/command.h"

static const struct command *const rows[] = {
    &lab_command_init,
    &lab_command_up,
    &lab_command_status,
    &lab_command_down,
};

static enum exit_code run(int argc, char **argv)
{
    return command_dispatch(rows, sizeof(rows) / sizeof(rows[0]), "qkdctl lab", argc, argv);
}

const struct command command_lab = {
    .name = "lab",
    .summary = "two key servers on this machine, to try things out",
    .help = "usage: qkdctl lab init DIR [--base-port N] [--api 014|004]\n"
            "                       [--initiator client|server] [--groups LIST]\n"
            "                       [--rate-bps N] [--capacity-bits N]\n"
            "       qkdctl lab up DIR\n"
            "       qkdctl lab status DIR [--json]\n"
            "       qkdctl lab down DIR\n"
            "\n"
            "A laboratory is a folder with two linked key servers, kme-a and kme-b, the\n"
            "certificates of all parties, and an openssl.cnf for each of two SAEs: alice at\n"
            "kme-a, the TLS client in our examples, and bob at kme-b, the TLS server. Carol at\n"
            "kme-b and dave at kme-a have certificates, for keys with several responders. The\n"
            "quantum channel between the key servers is simulated: it protects nothing.\n"
            "\n"
            "init    writes the folder. --base-port: kme-a takes N (ETSI 014), N+1 (ETSI 004),\n"
            "        N+2 (admin) and N+3 (link), kme-b the same from N+10; default 17400.\n"
            "        --api: which of the two the SAEs use; default 014, and the key servers serve\n"
            "        both. --initiator: who reserves the key of a handshake, the TLS client\n"
            "        (default) or the TLS server, which needs 014. --groups: the Groups line of\n"
            "        each openssl.cnf; default all of ours that OpenSSL 3.5 has. OpenSSL 3.0 to\n"
            "        3.3 ignore a line with an unknown name: qkd_x25519 for them. --rate-bps,\n"
            "        --capacity-bits: of the simulated channel and of the key stores; default\n"
            "        1000000 and 8388608.\n"
            "up      starts both key servers and returns when keys flow, within 15 s.\n"
            "status  one line for each key server; --json for programs.\n"
            "down    ends both.\n"
            "\n"
            "DIR/lab.env holds the addresses and process IDs as shell variables.\n",
    .run = run,
};
