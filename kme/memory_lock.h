/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps keys out of the swap space. */
#ifndef QKD_KME_MEMORY_LOCK_H
#define QKD_KME_MEMORY_LOCK_H

#include <stdbool.h>

/* Locks all memory of the process, present and future, and raises the limit on locked memory
 * where that is allowed. False, and nothing done, where a limit stays: with it a later allocation
 * could fail for that reason alone. */
bool memory_lock(void);

/* The same again after a change of user, who may have a limit where root had none: then nothing
 * is locked any more. */
bool memory_lock_keep(void);

#endif
