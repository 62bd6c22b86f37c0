/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* '_' and '-' are the same slip as a capital letter: none. */
static int fold(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

/* Letters to put in, take out, change, or swap with the next. Both texts fit. */
static unsigned distance(const char *a, const char *b)
{
    unsigned table[NEAREST_MAX_CHARS + 1][NEAREST_MAX_CHARS + 1];
    unsigned a_length = (unsigned)strlen(a), b_length = (unsigned)strlen(b);

    for (unsigned i = 0; i <= a_length; i++)
        table[i][0] = i;
    for (unsigned j = 0; j <= b_length; j++)
        table[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        for (unsigned j = 1; j <= b_length; j++) {
            bool same = fold(a[i - 1]) == fold(b[j - 1]);

            table[i][j] =
                least(least(table[i - 1][j], table[i][j - 1]) + 1, table[i - 1][j - 1] + !same);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]))
                table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1);
        }
    }
    return table[a_length][b_length];
}

struct nearest nearest_to(const char *name)
{
    return (struct nearest){name, NULL, 0};
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    size_t length = strlen(candidate);
    unsigned away;

    if (length > NEAREST_MAX_CHARS || strlen(nearest->name) > NEAREST_MAX_CHARS)
        return;
    away = distance(nearest->name, candidate);
    if (away > 1 + length / 4 || (nearest->found != NULL && away >= nearest->distance))
        return;
    nearest->found = candidate;
    nearest->distance = away;
}
