/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of "qkdctl status": one for each standard. */
#ifndef QKD_CTL_STATUS_H
#define QKD_CTL_STATUS_H

#include "ctl/kme_options.h"

/* Get status (ETSI GS QKD 014, clause 5.1). */
bool status014(struct kme_session *session, bool json, struct status *status);

/* Opens a key stream as a handshake does, and closes it. What the key server answered is printed
 * also when it refused, which is a failure. */
bool status004(struct kme_session *session, bool json, struct status *status);

/* What "qkdctl status" was asked for, beside whom to ask as an SAE. */
struct status_choices {
    const char *admin; /* the URL of an admin side, or NULL */
    bool json, watch;
};

/* What the admin side of a key server of ours tells. With `watch` once a second until it fails. */
bool status_admin(const struct status_choices *choices, bool *healthy, struct status *status);

#endif
