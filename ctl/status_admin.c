/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ctl/admin.h"
#include "ctl/overview.h"

enum { ASK_LIMIT_MS = 5000 };

static bool print_json(const json_t *overview, bool watch, struct status *status)
{
    char *whole = json_dumps(overview, watch ? JSON_COMPACT : JSON_INDENT(2));

    if (whole == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for JSON");
    puts(whole);
    free(whole);
    return true;
}

static bool show(unsigned port, const struct status_choices *choices, bool *healthy,
                 struct status *status)
{
    static const char clear_screen[] = "\033[H\033[J";
    struct deadline deadline = deadline_in_ms(ASK_LIMIT_MS);
    json_t *overview = overview_get(port, &deadline, status);
    const char *reason;

    if (overview == NULL)
        return false;
    *healthy = overview_is_healthy(overview, &reason);
    if (choices->json) {
        print_json(overview, choices->watch, status);
    } else {
        if (choices->watch)
            fputs(isatty(STDOUT_FILENO) ? clear_screen : "\n", stdout);
        overview_print(overview);
    }
    json_decref(overview);
    return fflush(stdout) == 0 && status->outcome == OUTCOME_OK;
}

bool status_admin(const struct status_choices *choices, bool *healthy, struct status *status)
{
    static const struct timespec pause = {1, 0};
    unsigned port;

    if (!admin_port_parse(choices->admin, &port, status))
        return false;
    while (show(port, choices, healthy, status) && choices->watch)
        nanosleep(&pause, NULL);
    return status->outcome == OUTCOME_OK;
}
