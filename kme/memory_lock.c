/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/memory_lock.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool is_unlimited(void)
{
    static const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit limit;

    setrlimit(RLIMIT_MEMLOCK, &none);
    if (geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_IPC_LOCK, 0, 0, 0) == 1)
        return true;
    return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

bool memory_lock(void)
{
    return is_unlimited() && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

bool memory_lock_keep(void)
{
    if (memory_lock())
        return true;
    munlockall();
    return false;
}
