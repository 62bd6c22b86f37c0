/* SPDX-License-Identifier: Apache-2.0 */
/* Which of many names somebody may have meant: the one with the fewest letters to change. */
#ifndef QKD_CTL_NEAREST_H
#define QKD_CTL_NEAREST_H

enum { NEAREST_MAX_CHARS = 64 };

struct nearest {
    const char *name;  /* as written; borrowed */
    const char *found; /* borrowed; NULL while no name is like it */
    unsigned distance; /* of `found` */
};

struct nearest nearest_to(const char *name);

/* Takes the candidate when it is like the name, and more so than those before. */
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
