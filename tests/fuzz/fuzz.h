/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target is: one function that gets any octets and checks what must hold for all of
 * them, and the valid examples to start from. libFuzzer calls it (tests/fuzz/CMakeLists.txt), and
 * so does mutate.c in every test run.
 */
#ifndef QKD_TESTS_FUZZ_FUZZ_H
#define QKD_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_seed {
    const char *octets;
    size_t length;
};

#define FUZZ_SEED(text)                                                                            \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

extern const struct fuzz_seed fuzz_seeds[];
extern const size_t fuzz_seed_count;

#define FUZZ_SEED_COUNT const size_t fuzz_seed_count = sizeof(fuzz_seeds) / sizeof(fuzz_seeds[0])

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that does not hold ends the program, which libFuzzer and mutate.c both report. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
