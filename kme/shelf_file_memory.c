/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's pages hold key material: what it gives back is wiped. */
#include <sqlite3.h>

#include "kme/shelf_file.h"
#include "kme/wiping_alloc.h"

static int memory_size(void *memory)
{
    return (int)wiping_size(memory);
}

static int memory_roundup(int size)
{
    return (size + 7) & ~7;
}

static void *memory_get(int size)
{
    return wiping_malloc((size_t)size);
}

static void *memory_resize(void *memory, int size)
{
    return wiping_realloc(memory, (size_t)size);
}

static int memory_init(void *ignored)
{
    (void)ignored;
    return SQLITE_OK;
}

static void memory_shutdown(void *ignored)
{
    (void)ignored;
}

bool shelf_file_wipe_memory(void)
{
    static const sqlite3_mem_methods methods = {
        memory_get,     wiping_free, memory_resize,   memory_size,
        memory_roundup, memory_init, memory_shutdown, NULL};

    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}
