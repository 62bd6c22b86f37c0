/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target on its seeds and on what mutations make of them: the same ones for the same
 * number, which is printed.
 *
 *     mutation_NAME [NUMBER [ITERATIONS]]
 *     mutation_NAME --corpus FOLDER      writes the seeds, for libFuzzer to start from
 */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>

enum { ITERATIONS = 20000, INPUT_MAX_BYTES = 32768, STEPS_MAX = 4, INSERT_MAX_BYTES = 24 };

struct input {
    uint8_t octets[INPUT_MAX_BYTES];
    size_t length;
};

/* xorshift64*: small, and the same everywhere. */
static uint64_t next_random(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return *random * UINT64_C(0x2545F4914F6CDD1D);
}

static size_t below(uint64_t *random, size_t limit)
{
    return limit == 0 ? 0 : (size_t)((next_random(random) >> 16) % limit);
}

/* Puts octets in at a place; what does not fit is left out. */
static void insert(struct input *input, size_t at, const uint8_t *octets, size_t count)
{
    if (count > INPUT_MAX_BYTES - input->length)
        return;
    memmove(input->octets + at + count, input->octets + at, input->length - at);
    memmove(input->octets + at, octets, count);
    input->length += count;
}

static void flip_bit(struct input *input, uint64_t *random)
{
    if (input->length > 0)
        input->octets[below(random, input->length)] ^= (uint8_t)(1U << below(random, 8));
}

static void set_octet(struct input *input, uint64_t *random)
{
    static const uint8_t favourites[] = "\"\\{}[]:,/= \r\n\t0129-+eE.fF;\0\x7f\x80\xff";

    if (input->length > 0)
        input->octets[below(random, input->length)] =
            favourites[below(random, sizeof(favourites) - 1)];
}

static void cut_end(struct input *input, uint64_t *random)
{
    input->length = below(random, input->length + 1);
}

static void cut_middle(struct input *input, uint64_t *random)
{
    size_t at = below(random, input->length), count = below(random, input->length - at + 1);

    memmove(input->octets + at, input->octets + at + count, input->length - at - count);
    input->length -= count;
}

static void insert_random(struct input *input, uint64_t *random)
{
    uint8_t octets[INSERT_MAX_BYTES];
    size_t count = 1 + below(random, sizeof(octets));

    for (size_t i = 0; i < count; i++)
        octets[i] = (uint8_t)next_random(random);
    insert(input, below(random, input->length + 1), octets, count);
}

static void duplicate(struct input *input, uint64_t *random)
{
    static uint8_t copy[INPUT_MAX_BYTES];
    size_t at = below(random, input->length), count = below(random, input->length - at + 1);

    memcpy(copy, input->octets + at, count);
    insert(input, below(random, input->length + 1), copy, count);
}

/* Part of another seed. */
static void splice(struct input *input, uint64_t *random)
{
    const struct fuzz_seed *seed = &fuzz_seeds[below(random, fuzz_seed_count)];
    size_t at = below(random, seed->length), count = below(random, seed->length - at + 1);

    insert(input, below(random, input->length + 1), (const uint8_t *)seed->octets + at, count);
}

static void (*const mutations[])(struct input *, uint64_t *) = {
    flip_bit, set_octet, cut_end, cut_middle, insert_random, duplicate, splice,
};

/* In memory of exactly its size, so that a sanitizer sees each octet read beyond it. */
static void run(const uint8_t *octets, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, octets, length);
    LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static void mutate_and_run(uint64_t random)
{
    static struct input input;
    const struct fuzz_seed *seed = &fuzz_seeds[below(&random, fuzz_seed_count)];
    size_t steps = 1 + below(&random, STEPS_MAX);

    memcpy(input.octets, seed->octets, seed->length);
    input.length = seed->length;
    for (size_t i = 0; i < steps; i++)
        mutations[below(&random, sizeof(mutations) / sizeof(mutations[0]))](&input, &random);
    run(input.octets, input.length);
}

static int write_corpus(const char *folder)
{
    for (size_t i = 0; i < fuzz_seed_count; i++) {
        char path[4096];
        FILE *file;

        snprintf(path, sizeof(path), "%s/seed-%zu", folder, i);
        file = fopen(path, "wb");
        if (file == NULL ||
            fwrite(fuzz_seeds[i].octets, 1, fuzz_seeds[i].length, file) != fuzz_seeds[i].length) {
            perror(path);
            return 1;
        }
        fclose(file);
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t number = argc > 1 ? strtoull(argv[1], NULL, 10) : 20190201;
    unsigned long iterations = argc > 2 ? strtoul(argv[2], NULL, 10) : ITERATIONS;

    if (argc == 3 && strcmp(argv[1], "--corpus") == 0)
        return write_corpus(argv[2]);
    printf("%zu seeds, %lu mutations from number %llu\n", fuzz_seed_count, iterations,
           (unsigned long long)number);
    fflush(stdout);
    for (size_t i = 0; i < fuzz_seed_count; i++)
        run((const uint8_t *)fuzz_seeds[i].octets, fuzz_seeds[i].length);
    for (unsigned long i = 0; i < iterations; i++) {
        uint64_t random = (number + i) * UINT64_C(0x9E3779B97F4A7C15) + 1;

        mutate_and_run(random != 0 ? random : 1);
    }
    printf("all hold\n");
    return 0;
}
