/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/grid.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void grid_begin(struct grid *grid, const char *align)
{
    grid->align = align;
    grid->count = 0;
}

void grid_put(struct grid *grid, const char *format, ...)
{
    char *cell = grid->cells[grid->count];
    va_list args;

    if (grid->count >= strlen(grid->align) * GRID_ROWS_MAX)
        return;
    va_start(args, format);
    vsnprintf(cell, GRID_CELL_BYTES, format, args);
    va_end(args);
    for (; *cell != '\0'; cell++)
        if (*cell < ' ' || *cell > '~')
            *cell = '?';
    grid->count++;
}

static size_t width_of(const struct grid *grid, size_t column)
{
    size_t columns = strlen(grid->align), widest = 0;

    for (size_t i = column; i < grid->count; i += columns)
        if (strlen(grid->cells[i]) > widest)
            widest = strlen(grid->cells[i]);
    return widest;
}

void grid_print(const struct grid *grid)
{
    size_t columns = strlen(grid->align);
    int widths[GRID_COLUMNS_MAX];

    for (size_t i = 0; i < columns; i++)
        widths[i] = (int)width_of(grid, i);
    for (size_t i = 0; i < grid->count; i++) {
        size_t column = i % columns;
        bool last = column + 1 == columns || i + 1 == grid->count;

        if (grid->align[column] == 'r')
            printf("%*s", widths[column], grid->cells[i]);
        else
            printf("%-*s", last ? 0 : widths[column], grid->cells[i]);
        fputs(last ? "\n" : "  ", stdout);
    }
}
