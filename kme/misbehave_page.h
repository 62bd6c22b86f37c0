/* SPDX-License-Identifier: Apache-2.0 */
/* /misbehave of the admin side: GET lists the rules of misbehaviour, POST sets and clears them. */
#ifndef QKD_KME_MISBEHAVE_PAGE_H
#define QKD_KME_MISBEHAVE_PAGE_H

#include "kme/env.h"
#include "kme/http_server.h"

extern const char misbehave_page_path[];

void misbehave_page(const struct env *env, struct http_exchange *exchange);

#endif
