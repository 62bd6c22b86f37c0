/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a scene's connections, for scene004.c alone. */
#ifndef QKD_CTL_LINE004_H
#define QKD_CTL_LINE004_H

#include "ctl/scene004.h"

/* NULL is allowed. */
void line004_free(struct line004 *line);

#endif
