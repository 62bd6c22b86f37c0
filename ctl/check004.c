/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check004.h"

void check004_play(struct check_run *run, struct check_report *report, scene_fn *play)
{
    struct status status = STATUS_INIT;
    struct scene004 *scene = scene004_new(check004_cast(run));

    if (scene == NULL) {
        check_fail(report, "out of memory");
        return;
    }
    if (!play(scene, &status))
        check_broke(report, &status);
    else if (scene004_skipped(scene))
        check_skip(report, "%s", scene->skip);
    else if (scene->note[0] != '\0')
        check_note(report, "%s", scene->note);
    run->keys_consumed += (int64_t)scene->delivered_count;
    scene004_free(scene);
}
