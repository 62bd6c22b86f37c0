/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the settings of the qkd provider out of an openssl.cnf without loading anything that
 * the file names.
 */
#ifndef QKD_CTL_OPENSSL_CNF_H
#define QKD_CTL_OPENSSL_CNF_H

#include <stdbool.h>

#include "base/status.h"
#include "keys/settings.h"

/* Finds the provider's section (openssl_conf, providers, the row whose module or identity is
 * qkd) and copies its settings into values, which the caller frees with openssl_cnf_free. A name
 * that the provider does not know is an error (OUTCOME_CONFIG), as is a file without the
 * section. On false all values are NULL. */
bool openssl_cnf_read(const char *path, char *values[static SETTING_COUNT], struct status *status);
void openssl_cnf_free(char *values[static SETTING_COUNT]);

#endif
