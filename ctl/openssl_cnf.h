/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the settings of the qkd provider out of an openssl.cnf without loading anything that
 * the file names.
 */
#ifndef QKD_CTL_OPENSSL_CNF_H
#define QKD_CTL_OPENSSL_CNF_H

#include <stdbool.h>

#include <openssl/conf.h>

#include "base/status.h"
#include "keys/settings.h"

/* Finds the provider's section (openssl_conf, providers, the row whose module or identity is
 * qkd) and copies its settings into values, which the caller frees with openssl_cnf_free. A name
 * that the provider does not know is an error (OUTCOME_CONFIG), as is a file without the
 * section. On false all values are NULL. */
bool openssl_cnf_read(const char *path, char *values[static SETTING_COUNT], struct status *status);
void openssl_cnf_free(char *values[static SETTING_COUNT]);

/* The row of the list of providers that activates ours: its name and its section. NULL when there
 * is none. */
const CONF_VALUE *openssl_cnf_provider(CONF *conf);

/* Whether OpenSSL or the provider reads a line of this name in the provider's section. */
bool openssl_cnf_knows(const char *name);

/* The name of such a line that is most like this one; NULL when none is like it. */
const char *openssl_cnf_nearest(const char *name);

#endif
