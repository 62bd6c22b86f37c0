/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/nearest.h"

#include <ctype.h>
#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
    size_t smaller = a < b ? a : b;

    return smaller < c ? smaller : c;
}

/* '_' and '-' are the same slip as a capital letter: none. */
static int fold(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

/* Letters to put in, take out or change, row by row of the usual table. Both texts fit. */
static size_t distance(const char *a, const char *b)
{
    size_t length = strlen(b), row[NEAREST_MAX_CHARS + 1];

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t above_left = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t above = row[j + 1];

            row[j + 1] = least(above + 1, row[j] + 1, above_left + (fold(a[i]) != fold(b[j])));
            above_left = above;
        }
    }
    return row[length];
}

struct nearest nearest_to(const char *name)
{
    return (struct nearest){name, NULL, 0};
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    size_t length = strlen(candidate), away;

    if (length > NEAREST_MAX_CHARS || strlen(nearest->name) > NEAREST_MAX_CHARS)
        return;
    away = distance(nearest->name, candidate);
    if (away > 1 + length / 4 || (nearest->found != NULL && away >= nearest->distance))
        return;
    nearest->found = candidate;
    nearest->distance = away;
}
