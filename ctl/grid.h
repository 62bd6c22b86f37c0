/* SPDX-License-Identifier: Apache-2.0 */
/* A small table for a terminal: cells row by row, columns as wide as their widest cell. */
#ifndef QKD_CTL_GRID_H
#define QKD_CTL_GRID_H

#include <stddef.h>

enum { GRID_ROWS_MAX = 128, GRID_COLUMNS_MAX = 8, GRID_CELL_BYTES = 80 };

struct grid {
    const char *align; /* of each column 'l' or 'r' */
    size_t count;      /* of cells */
    char cells[GRID_ROWS_MAX * GRID_COLUMNS_MAX][GRID_CELL_BYTES];
};

void grid_begin(struct grid *grid, const char *align);

/* The next cell. What is no printable ASCII becomes '?', for names come from others; what is too
 * long, or too much for the table, is left out. */
void grid_put(struct grid *grid, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* To standard output. */
void grid_print(const struct grid *grid);

#endif
