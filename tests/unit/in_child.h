/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a part of a test in a forked child, and many threads of one. */
#ifndef QKD_TESTS_UNIT_IN_CHILD_H
#define QKD_TESTS_UNIT_IN_CHILD_H

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* What `check` answers in a child. An assertion of cmocka's would go on with the parent's tests
 * there, so the check says which of its steps fails: 0, none. */
static inline int in_child(int (*check)(void *), void *argument)
{
    pid_t child = fork();
    int how = -1;

    assert_true(child >= 0);
    if (child == 0)
        _exit(check(argument));
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

enum { THREADS = 8 };

static inline void in_threads(void *(*run)(void *), void *argument)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, argument), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#endif
