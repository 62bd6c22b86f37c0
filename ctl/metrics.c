/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next line of a metric, from `line` on; NULL when there is none. */
static const char *find_line(const char *line, const char *name)
{
    size_t length = strlen(name);

    for (; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && (line[length] == '{' || line[length] == ' '))
            return line;
    }
    return NULL;
}

static double value_of(const char *line)
{
    const char *space = memrchr(line, ' ', strcspn(line, "\n"));

    return space != NULL ? strtod(space, NULL) : 0;
}

double metrics_sum(const char *text, const char *name, const char *label, bool *found)
{
    double sum = 0;

    *found = false;
    for (const char *line = find_line(text, name); line != NULL;
         line = find_line(line + strcspn(line, "\n"), name)) {
        if (memmem(line, strcspn(line, "\n"), label, strlen(label)) == NULL)
            continue;
        sum += value_of(line);
        *found = true;
    }
    return sum;
}

bool metrics_sample(const char *text, const char *name, const char *label, size_t place,
                    char *label_text, size_t label_text_size, double *value)
{
    const char *line = find_line(text, name);
    char prefix[128];
    size_t length;

    for (; line != NULL && place > 0; place--)
        line = find_line(line + strcspn(line, "\n"), name);
    snprintf(prefix, sizeof(prefix), "%s{%s=\"", name, label);
    if (line == NULL || strncmp(line, prefix, strlen(prefix)) != 0)
        return false;
    length = strcspn(line + strlen(prefix), "\"\n");
    if (length >= label_text_size)
        return false;
    snprintf(label_text, label_text_size, "%.*s", (int)length, line + strlen(prefix));
    *value = value_of(line);
    return true;
}
