/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of every subcommand that talks to a key server: --config FILE names an
 * openssl.cnf (without it and --kme $OPENSSL_CONF does), and --kme, --sae, --peer, --cert, --key,
 * --ca, --timeout-ms, --source-uri, --destination-uri, --etsi004-dialect come before what the
 * file says.
 */
#ifndef QKD_CTL_KME_OPTIONS_H
#define QKD_CTL_KME_OPTIONS_H

#include "base/deadline.h"
#include "base/status.h"
#include "ctl/options.h"
#include "keys/client004.h"
#include "keys/client014.h"
#include "keys/settings.h"

enum { KME_OPTION_COUNT = SETTING_COUNT /* the settings but for the initiator, and --config */ };

struct kme_options {
    const char *config;
    const char *given[SETTING_COUNT]; /* by option; NULL = not given */
};

/* What the help of such a subcommand says about them. */
#define KME_OPTIONS_HELP                                                                           \
    "\n"                                                                                           \
    "Which key server, and as whom:\n"                                                             \
    "  --config FILE   an openssl.cnf with the provider's section (default $OPENSSL_CONF,\n"       \
    "                  unless --kme is given)\n"                                                   \
    "  --kme URL  --sae ID  --peer ID  --cert FILE  --key FILE  --ca FILE  --timeout-ms N\n"       \
    "                  come before what the file says; all of them given, no file is needed.\n"    \
    "                  The URL says how it is asked: https:// ETSI 014, etsi004:// ETSI 004\n"     \
    "  --source-uri URI  --destination-uri URI  --etsi004-dialect w1|w2|qubip\n"                   \
    "                  with ETSI 004: the ends of a stream, and how the key server speaks\n"

/* Fills in the first KME_OPTION_COUNT rows of an option table. */
void kme_options_rows(struct kme_options *options, struct option_row rows[static KME_OPTION_COUNT]);

struct kme_session {
    char *from_file[SETTING_COUNT];
    struct settings *settings;
    struct client014 *client014; /* by settings_api one of the two; the other is NULL */
    struct client004 *client004;
    struct deadline deadline; /* timeout-ms from when the session was opened */
};

/* No network. On false nothing is left to close. */
bool kme_session_open(const struct kme_options *options, struct kme_session *session,
                      struct status *status);
void kme_session_close(struct kme_session *session);

#endif
