/* SPDX-License-Identifier: Apache-2.0 */
/* What this process takes of its machine, from /proc. */
#ifndef QKD_KME_PROCESS_FIGURES_H
#define QKD_KME_PROCESS_FIGURES_H

#include <stdint.h>

/* -1 stands for what the system does not tell: a process that cannot be looked into and is not root
 * may not count its own descriptors. */
struct process_figures {
    int64_t resident_bytes;
    int64_t descriptors, descriptors_max;
};

void process_figures_read(struct process_figures *figures);

#endif
