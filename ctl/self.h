/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beside this program. */
#ifndef QKD_CTL_SELF_H
#define QKD_CTL_SELF_H

#include <limits.h>
#include <stdbool.h>

/* The absolute path of a file given relative to the folder of this program; false when there is
 * no such file. */
bool self_beside(char path[static PATH_MAX], const char *relative);

#endif
