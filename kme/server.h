/* SPDX-License-Identifier: Apache-2.0 */
/* The whole key server: its parts, its signals, its event loop. */
#ifndef QKD_KME_SERVER_H
#define QKD_KME_SERVER_H

#include <stdbool.h>

#include "base/status.h"

/* Runs until SIGTERM or SIGINT. SIGHUP reads the file again. False, and *status, when it could
 * not start. Everything is wiped and closed on return. */
bool server_run(const char *config_path, struct status *status);

/* Only reads and checks: the file, and the certificate files that it names. */
bool server_check(const char *config_path, struct status *status);

#endif
