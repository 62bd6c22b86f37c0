/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ACCOUNT_BYTES = 16384 };

struct account {
    uid_t uid;
    gid_t gid;
};

static bool find_account(const char *user, struct account *account, struct status *status)
{
    struct passwd entry, *found = NULL;
    char text[ACCOUNT_BYTES];
    int error = getpwnam_r(user, &entry, text, sizeof(text), &found);

    if (found == NULL)
        return status_fail(status, OUTCOME_CONFIG,
                           "user = \"%s\": there is no such account on this machine%s%s", user,
                           error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    *account = (struct account){found->pw_uid, found->pw_gid};
    return true;
}

bool privileges_check(const char *user, struct status *status)
{
    struct account account;

    if (user[0] == '\0')
        return geteuid() != 0 ||
               status_fail(status, OUTCOME_CONFIG,
                           "started as root without the setting user: name the account to change "
                           "to, or root to stay root");
    if (!find_account(user, &account, status))
        return false;
    return geteuid() == 0 || geteuid() == account.uid ||
           status_fail(status, OUTCOME_CONFIG,
                       "user = \"%s\": started as user %lu, and only root can change to another",
                       user, (unsigned long)geteuid());
}

static bool become(const struct account *account)
{
    return setgroups(1, &account->gid) == 0 &&
           setresgid(account->gid, account->gid, account->gid) == 0 &&
           setresuid(account->uid, account->uid, account->uid) == 0;
}

/* Does not trust the return values above. */
static bool is_for_good(const struct account *account)
{
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uids[i] != account->uid || gids[i] != account->gid)
            return false;
    return setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0 && getgroups(0, NULL) == 1;
}

bool privileges_drop(const char *user, struct status *status)
{
    struct account account;

    if (!privileges_check(user, status))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return status_fail(status, OUTCOME_INTERNAL, "cannot rule out new privileges: %s",
                           strerror(errno));
    if (geteuid() != 0)
        return true;
    if (!find_account(user, &account, status))
        return false;
    if (account.uid == 0)
        return true;
    if (!become(&account))
        return status_fail(status, OUTCOME_INTERNAL, "cannot become user '%s': %s", user,
                           strerror(errno));
    if (!is_for_good(&account))
        return status_fail(status, OUTCOME_INTERNAL,
                           "user '%s' could become root again; not starting", user);
    /* Another user ID has made the process dumpable again where the system is set so. */
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        return status_fail(status, OUTCOME_INTERNAL, "cannot rule out core dumps: %s",
                           strerror(errno));
    return true;
}
