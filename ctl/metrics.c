/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/metrics.h"

#include <stdlib.h>
#include <string.h>

double metrics_sum(const char *text, const char *name, const char *label, bool *found)
{
    size_t name_length = strlen(name);
    double sum = 0;

    *found = false;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        const char *end, *value, *match;

        line += *line == '\n';
        if (strncmp(line, name, name_length) != 0 ||
            (line[name_length] != '{' && line[name_length] != ' '))
            continue;
        end = line + strcspn(line, "\n");
        value = memrchr(line, ' ', (size_t)(end - line));
        match = memmem(line, (size_t)(end - line), label, strlen(label));
        if (value == NULL || match == NULL)
            continue;
        sum += strtod(value, NULL);
        *found = true;
    }
    return sum;
}
