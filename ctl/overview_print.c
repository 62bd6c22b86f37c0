/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/overview.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/grid.h"

enum { STREAMS_SHOWN = 10, SAES_SHOWN = 50, TEXT_BYTES = 48, SECONDS_A_DAY = 86400 };

typedef char text[TEXT_BYTES];

static const char *bits(json_int_t value, text out)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    double scaled = (double)value;
    size_t unit = 0;

    for (; scaled >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        scaled /= 1000;
    snprintf(out, TEXT_BYTES, unit == 0 ? "%.0f %sbit" : "%.2f %sbit", scaled, units[unit]);
    return out;
}

static const char *duration(json_int_t seconds, text out)
{
    if (seconds < 60)
        snprintf(out, TEXT_BYTES, "%" PRId64 " s", (int64_t)seconds);
    else if (seconds < 3600)
        snprintf(out, TEXT_BYTES, "%" PRId64 " min", (int64_t)seconds / 60);
    else if (seconds < SECONDS_A_DAY)
        snprintf(out, TEXT_BYTES, "%" PRId64 " h %" PRId64 " min", (int64_t)seconds / 3600,
                 (int64_t)seconds % 3600 / 60);
    else
        snprintf(out, TEXT_BYTES, "%" PRId64 " d %" PRId64 " h", (int64_t)seconds / SECONDS_A_DAY,
                 (int64_t)seconds % SECONDS_A_DAY / 3600);
    return out;
}

static void heads(struct grid *grid, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        grid_put(grid, "%s", names[i]);
}

#define HEADS(grid, ...)                                                                           \
    heads(grid, (const char *const[]){__VA_ARGS__},                                                \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static json_int_t lost_bits(json_t *link)
{
    json_int_t sum = 0;
    const char *reason;
    json_t *value;

    json_object_foreach(json_object_get(link, "lost_bits"), reason, value) sum +=
        json_integer_value(value);
    return sum;
}

static void print_links(json_t *links)
{
    struct grid grid;
    json_t *link;
    size_t i;

    grid_begin(&grid, "lllrrrr");
    HEADS(&grid, "link to", "state", "for", "fill level", "of", "rate now", "configured");
    json_array_foreach(links, i, link)
    {
        json_int_t capacity = overview_number(link, "capacity_bits");
        json_int_t stored = overview_number(link, "stored_bits");
        text out;

        grid_put(&grid, "%s", overview_text(link, "peer"));
        grid_put(&grid, "%s", json_is_true(json_object_get(link, "up")) ? "up" : "DOWN");
        grid_put(&grid, "%s", duration(overview_number(link, "for_s"), out));
        grid_put(&grid, "%.0f %%", capacity > 0 ? 100.0 * (double)stored / (double)capacity : 0);
        grid_put(&grid, "%s", bits(capacity, out));
        grid_put(&grid, "%s/s", bits(overview_number(link, "measured_rate_bps"), out));
        grid_put(&grid, "%s/s", bits(overview_number(link, "rate_bps"), out));
    }
    grid_print(&grid);
}

static void print_material(json_t *links)
{
    static const char *const names[] = {"available_bits", "open_bits", "resting_bits",
                                        "generated_bits"};
    struct grid grid;
    json_t *link;
    size_t i;
    text out;

    puts("");
    grid_begin(&grid, "lrrrrr");
    HEADS(&grid, "key material of", "for initiators here", "in memory", "at rest on disk",
          "generated", "lost");
    json_array_foreach(links, i, link)
    {
        grid_put(&grid, "%s", overview_text(link, "peer"));
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
            grid_put(&grid, "%s", bits(overview_number(link, names[j]), out));
        grid_put(&grid, "%s", bits(lost_bits(link), out));
    }
    grid_print(&grid);
}

static void print_saes(json_t *saes, json_int_t total)
{
    static const char *const paths[] = {"delivered.014.initiator", "delivered.014.responder",
                                        "delivered.004.initiator", "delivered.004.responder"};
    struct grid grid;
    json_t *sae;
    size_t i;
    text out;

    puts("");
    grid_begin(&grid, "lrrrrl");
    HEADS(&grid, "keys delivered to", "014 initiator", "014 responder", "004 initiator",
          "004 responder", "last seen");
    json_array_foreach(saes, i, sae)
    {
        bool never = json_is_null(json_object_get(sae, "last_seen_s"));

        if (i == SAES_SHOWN)
            break;
        grid_put(&grid, "%s", overview_text(sae, "sae"));
        for (size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++)
            grid_put(&grid, "%" PRId64, (int64_t)overview_number(sae, paths[j]));
        grid_put(&grid, never ? "never" : "%s ago",
                 duration(overview_number(sae, "last_seen_s"), out));
    }
    grid_print(&grid);
    if (total > SAES_SHOWN)
        printf("  the last seen of %" PRId64 " SAEs\n", (int64_t)total);
}

static void print_streams(const json_t *overview)
{
    json_t *newest = json_object_get(json_object_get(overview, "streams"), "newest"), *stream;
    json_int_t total = overview_number(overview, "streams.total");
    struct grid grid;
    size_t i;
    text out;

    printf("\nkey streams: %" PRId64 "%s\n", (int64_t)total,
           total > STREAMS_SHOWN ? "; the newest:" : "");
    if (total == 0)
        return;
    grid_begin(&grid, "lllrrl");
    HEADS(&grid, "SAE here", "peer", "state", "delivered", "age", "Key_stream_ID");
    json_array_foreach(newest, i, stream)
    {
        if (i == STREAMS_SHOWN)
            break;
        grid_put(&grid, "%s", overview_text(stream, "sae"));
        grid_put(&grid, "%s", overview_text(stream, "peer"));
        grid_put(&grid, "%s", overview_text(stream, "state"));
        grid_put(&grid, "%" PRId64, (int64_t)overview_number(stream, "delivered"));
        grid_put(&grid, "%s", duration(overview_number(stream, "age_s"), out));
        grid_put(&grid, "%s", overview_text(stream, "Key_stream_ID"));
    }
    grid_print(&grid);
}

void overview_print_errors(const json_t *overview, const char *heading, size_t most)
{
    json_t *errors = json_object_get(overview, "errors"), *error;
    struct grid grid;
    size_t i;

    if (json_array_size(errors) == 0 || most == 0)
        return;
    printf("\n%s\n", heading);
    grid_begin(&grid, "lllrl");
    HEADS(&grid, "time", "who", "what", "times", "outcome");
    json_array_foreach(errors, i, error)
    {
        const char *who = overview_text(error, "sae"), *method = overview_text(error, "method");

        if (i == most)
            break;
        grid_put(&grid, "%s", overview_text(error, "time"));
        grid_put(&grid, "%s", who[0] != '\0' ? who : overview_text(error, "peer"));
        if (method[0] != '\0')
            grid_put(&grid, "%s %s", overview_text(error, "api"), method);
        else
            grid_put(&grid, "%s", overview_text(error, "event"));
        grid_put(&grid, "%" PRId64, (int64_t)overview_number(error, "count"));
        grid_put(&grid, "%s", overview_text(error, "outcome"));
    }
    grid_print(&grid);
}

static void print_head(const json_t *overview)
{
    size_t rules = json_array_size(json_object_get(overview, "misbehave"));
    const char *reason;
    bool healthy = overview_is_healthy(overview, &reason);
    const char *failure = overview_text(overview, "store.failure");
    struct grid grid;
    text out;

    grid_begin(&grid, "ll");
    grid_put(&grid, "key server");
    grid_put(&grid, "%s, qkd-kme %s, up for %s", overview_text(overview, "kme_id"),
             overview_text(overview, "version"),
             duration(overview_number(overview, "uptime_ms") / 1000, out));
    grid_put(&grid, "quantum channel");
    grid_put(&grid, "SIMULATED: its keys protect nothing");
    grid_put(&grid, "health");
    grid_put(&grid, "%s", healthy ? "keys flow" : reason);
    grid_put(&grid, "store");
    grid_put(&grid, "%s%s%s%s", overview_text(overview, "store.kind"),
             json_is_true(json_object_get(json_object_get(overview, "store"), "sealed"))
                 ? ", sealed"
                 : "",
             failure[0] != '\0' ? ": " : "", failure);
    if (rules > 0) {
        grid_put(&grid, "MISBEHAVES");
        grid_put(&grid, "on command, by %zu rules: qkdctl misbehave show lists them", rules);
    }
    grid_print(&grid);
    puts("");
}

void overview_print(const json_t *overview)
{
    print_head(overview);
    print_links(json_object_get(overview, "links"));
    print_material(json_object_get(overview, "links"));
    print_saes(json_object_get(overview, "saes"), overview_number(overview, "saes_total"));
    print_streams(overview);
    overview_print_errors(overview, "last errors", SIZE_MAX);
}
