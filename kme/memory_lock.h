/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps keys out of the swap space. */
#ifndef QKD_KME_MEMORY_LOCK_H
#define QKD_KME_MEMORY_LOCK_H

#include <stdbool.h>

/* Locks all memory of the process, present and future. False, and nothing done, where there is a
 * limit on locked memory: with it a later allocation could fail for that reason alone. */
bool memory_lock(void);

#endif
