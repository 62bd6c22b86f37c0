/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/in_child.h"

#include <sched.h>
#include <stdatomic.h>

#include "keys/breaker.h"

enum { THRESHOLD = 3 };

static const int64_t MS = 1000000;

static struct status failure_of(const char *text)
{
    struct status failure = STATUS_INIT;

    status_fail(&failure, OUTCOME_TIMEOUT, "%s", text);
    return failure;
}

static void fail_at(struct breaker *breaker, int64_t at_ms)
{
    struct status failure = failure_of("no answer within 1000 ms");

    breaker_failed(breaker, &failure, at_ms * MS);
}

enum step { ASK, GOOD, PASSED, FAILED, PROBE_GOOD, PROBE_BAD, END };

/* What happens at which time, and what the one who asks is told. */
struct row {
    enum step step;
    int64_t at_ms;
    enum breaker_answer answer;
};

static void play(const struct row *rows)
{
    struct breaker *breaker = breaker_new(THRESHOLD);

    for (const struct row *row = rows; row->step != END; row++) {
        if (row->step == ASK && breaker_ask(breaker, row->at_ms * MS) != row->answer)
            fail_msg("row %zu, at %lld ms: not answer %d", (size_t)(row - rows),
                     (long long)row->at_ms, row->answer);
        if (row->step == GOOD)
            breaker_good(breaker);
        if (row->step == PASSED)
            breaker_passed(breaker);
        if (row->step == FAILED)
            fail_at(breaker, row->at_ms);
        if (row->step == PROBE_GOOD || row->step == PROBE_BAD)
            breaker_probe_ended(breaker, row->step == PROBE_GOOD, row->at_ms * MS);
    }
    breaker_free(breaker);
}

/* Open at 0, with a probe due at 250. */
#define OPENS                                                                                      \
    {FAILED, 0, 0}, {FAILED, 0, 0}, {ASK, 0, BREAKER_CLOSED},                                      \
    {                                                                                              \
        FAILED, 0, 0                                                                               \
    }

static void failures_in_a_row_open_it(void **state)
{
    static const struct row rows[] = {{ASK, 0, BREAKER_CLOSED},
                                      {FAILED, 0, 0},
                                      {FAILED, 0, 0},
                                      {ASK, 0, BREAKER_CLOSED},
                                      {GOOD, 0, 0},
                                      {FAILED, 1, 0},
                                      {FAILED, 2, 0},
                                      {ASK, 3, BREAKER_CLOSED},
                                      {FAILED, 3, 0},
                                      {ASK, 3, BREAKER_OPEN},
                                      {ASK, 252, BREAKER_OPEN},
                                      {GOOD, 0, 0},
                                      {ASK, 252, BREAKER_CLOSED},
                                      {END, 0, 0}};

    (void)state;
    play(rows);
}

static void probes_come_one_at_a_time_after_growing_pauses(void **state)
{
    static const struct row rows[] = {OPENS,
                                      {ASK, 249, BREAKER_OPEN},
                                      {ASK, 250, BREAKER_PROBE},
                                      {ASK, 251, BREAKER_OPEN},
                                      {PROBE_BAD, 260, 0},
                                      {ASK, 759, BREAKER_OPEN},
                                      {ASK, 760, BREAKER_PROBE},
                                      {PROBE_BAD, 800, 0},
                                      {ASK, 1799, BREAKER_OPEN},
                                      {ASK, 1800, BREAKER_PROBE},
                                      {PROBE_BAD, 1800, 0},
                                      {ASK, 2799, BREAKER_OPEN},
                                      {ASK, 2800, BREAKER_PROBE},
                                      {END, 0, 0}};

    (void)state;
    play(rows);
}

static void a_good_probe_lets_callers_through_and_one_failure_opens_again(void **state)
{
    static const struct row rows[] = {OPENS,
                                      {ASK, 250, BREAKER_PROBE},
                                      {PROBE_GOOD, 300, 0},
                                      {ASK, 300, BREAKER_CLOSED},
                                      {ASK, 300, BREAKER_CLOSED},
                                      {FAILED, 400, 0},
                                      {ASK, 400, BREAKER_OPEN},
                                      {ASK, 899, BREAKER_OPEN},
                                      {ASK, 900, BREAKER_PROBE},
                                      {PROBE_GOOD, 901, 0},
                                      {GOOD, 0, 0},
                                      {FAILED, 902, 0},
                                      {FAILED, 902, 0},
                                      {ASK, 902, BREAKER_CLOSED},
                                      {FAILED, 1000, 0},
                                      {ASK, 1249, BREAKER_OPEN},
                                      {ASK, 1250, BREAKER_PROBE},
                                      {END, 0, 0}};

    (void)state;
    play(rows);
}

static void a_probe_that_is_lost_is_followed_by_another(void **state)
{
    static const struct row rows[] = {OPENS,
                                      {ASK, 250, BREAKER_PROBE},
                                      {ASK, 2249, BREAKER_OPEN},
                                      {ASK, 2250, BREAKER_PROBE},
                                      {ASK, 2251, BREAKER_OPEN},
                                      {PROBE_GOOD, 2300, 0},
                                      {ASK, 2300, BREAKER_CLOSED},
                                      {PROBE_BAD, 2301, 0},
                                      {ASK, 2301, BREAKER_CLOSED},
                                      {END, 0, 0}};

    (void)state;
    play(rows);
}

static void late_failures_of_others_end_no_probe(void **state)
{
    static const struct row rows[] = {OPENS,
                                      {FAILED, 240, 0},
                                      {ASK, 250, BREAKER_PROBE},
                                      {FAILED, 260, 0},
                                      {ASK, 1000, BREAKER_OPEN},
                                      {ASK, 2249, BREAKER_OPEN},
                                      {END, 0, 0}};

    (void)state;
    play(rows);
}

static void what_is_stale_gets_one_regular_attempt(void **state)
{
    static const struct row fails[] = {OPENS,
                                       {ASK, 10000, BREAKER_CLOSED},
                                       {ASK, 10000, BREAKER_OPEN},
                                       {ASK, 10900, BREAKER_OPEN},
                                       {FAILED, 11000, 0},
                                       {ASK, 11499, BREAKER_OPEN},
                                       {ASK, 11500, BREAKER_PROBE},
                                       {END, 0, 0}};
    static const struct row succeeds[] = {OPENS,
                                          {ASK, 10000, BREAKER_CLOSED},
                                          {GOOD, 0, 0},
                                          {ASK, 10001, BREAKER_CLOSED},
                                          {FAILED, 10002, 0},
                                          {ASK, 10003, BREAKER_CLOSED},
                                          {END, 0, 0}};
    static const struct row passes[] = {OPENS,
                                        {ASK, 10000, BREAKER_CLOSED},
                                        {ASK, 10000, BREAKER_OPEN},
                                        {PROBE_GOOD, 10001, 0},
                                        {ASK, 10001, BREAKER_OPEN},
                                        {PASSED, 10002, 0},
                                        {ASK, 10002, BREAKER_CLOSED},
                                        {ASK, 10002, BREAKER_CLOSED},
                                        {FAILED, 10003, 0},
                                        {ASK, 10004, BREAKER_OPEN},
                                        {END, 0, 0}};
    static const struct row is_lost[] = {OPENS,
                                         {ASK, 10000, BREAKER_CLOSED},
                                         {ASK, 11999, BREAKER_OPEN},
                                         {ASK, 12000, BREAKER_PROBE},
                                         {ASK, 12001, BREAKER_OPEN},
                                         {END, 0, 0}};
    static const struct row is_not_stale[] = {OPENS,
                                              {ASK, 9999, BREAKER_PROBE},
                                              {PROBE_BAD, 9999, 0},
                                              {ASK, 19998, BREAKER_PROBE},
                                              {ASK, 29997, BREAKER_PROBE},
                                              {ASK, 39997, BREAKER_CLOSED},
                                              {END, 0, 0}};

    (void)state;
    play(fails);
    play(succeeds);
    play(passes);
    play(is_lost);
    play(is_not_stale);
}

static void the_end_of_no_probe_changes_nothing(void **state)
{
    static const struct row rows[] = {{PROBE_GOOD, 0, 0},
                                      {PROBE_BAD, 0, 0},
                                      {PASSED, 0, 0},
                                      OPENS,
                                      {PROBE_BAD, 100, 0},
                                      {PROBE_GOOD, 100, 0},
                                      {PASSED, 100, 0},
                                      {ASK, 249, BREAKER_OPEN},
                                      {ASK, 250, BREAKER_PROBE},
                                      {PASSED, 251, 0},
                                      {ASK, 252, BREAKER_OPEN},
                                      {END, 0, 0}};

    (void)state;
    play(rows);
}

static void thresholds_are_taken_into_their_range(void **state)
{
    static const struct {
        int given;
        int failures;
    } rows[] = {{1, 1}, {-7, 1}, {1000, 1000}, {INT32_MAX, BREAKER_THRESHOLD_MAX}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct breaker *breaker = breaker_new(rows[i].given);

        for (int failures = 0; failures < rows[i].failures; failures++) {
            assert_int_equal(breaker_ask(breaker, 0), BREAKER_CLOSED);
            fail_at(breaker, 0);
        }
        assert_int_equal(breaker_ask(breaker, 0), BREAKER_OPEN);
        breaker_free(breaker);
    }
}

static void times_far_ahead_are_kept(void **state)
{
    const int64_t far_ms = INT64_C(1000) * 3600 * 24 * 365 * 200;
    struct breaker *breaker = breaker_new(1);

    (void)state;
    fail_at(breaker, far_ms);
    assert_int_equal(breaker_ask(breaker, (far_ms + 249) * MS), BREAKER_OPEN);
    assert_int_equal(breaker_ask(breaker, (far_ms + 250) * MS), BREAKER_PROBE);
    breaker_free(breaker);
}

static void a_refusal_tells_the_last_failure_and_its_age(void **state)
{
    struct breaker *breaker = breaker_new(2);
    struct status first = failure_of("connection refused"), status = STATUS_INIT;

    (void)state;
    breaker_failed(breaker, &first, 0);
    fail_at(breaker, 1000);
    assert_false(breaker_refuse(breaker, 1040 * MS, &status));
    assert_int_equal(status.outcome, OUTCOME_KME);
    assert_string_equal(status.text, "it failed 2 times, last 40 ms ago: no answer within 1000 ms; "
                                     "not asked again before it answers a probe");
    breaker_free(breaker);
}

static void a_long_text_leaves_room_for_the_rest(void **state)
{
    struct breaker *breaker = breaker_new(1);
    struct status failure = STATUS_INIT, status = STATUS_INIT;

    (void)state;
    status_fail(&failure, OUTCOME_KME, "%0*d", STATUS_TEXT_BYTES - 1, 0);
    breaker_failed(breaker, &failure, 0);
    breaker_refuse(breaker, INT64_MAX, &status);
    assert_failed(&status, OUTCOME_KME, "000; not asked again before it answers a probe");
    breaker_free(breaker);
}

struct crowd {
    struct breaker *breaker;
    int64_t at_ms;
    atomic_int answers[BREAKER_PROBE + 1];
    atomic_int arrived, probing, overlaps, torn;
};

static void *ask_once(void *argument)
{
    struct crowd *crowd = argument;

    atomic_fetch_add(&crowd->answers[breaker_ask(crowd->breaker, crowd->at_ms * MS)], 1);
    return NULL;
}

static void expect_of_threads(struct breaker *breaker, int64_t at_ms, enum breaker_answer one)
{
    struct crowd crowd = {.breaker = breaker, .at_ms = at_ms};

    in_threads(ask_once, &crowd);
    assert_int_equal(crowd.answers[one], 1);
    assert_int_equal(crowd.answers[BREAKER_OPEN], THREADS - 1);
}

static void of_many_threads_one_probes_or_tries(void **state)
{
    struct breaker *breaker = breaker_new(1);

    (void)state;
    fail_at(breaker, 0);
    expect_of_threads(breaker, 250, BREAKER_PROBE);
    expect_of_threads(breaker, 2250, BREAKER_PROBE);
    breaker_probe_ended(breaker, false, 2300 * MS);
    expect_of_threads(breaker, 2800, BREAKER_PROBE);
    expect_of_threads(breaker, 20000, BREAKER_CLOSED);
    breaker_free(breaker);
}

enum { ROUNDS = 20000 };

/* All come at once to each time at which the probe before is lost; one begins the next. */
static void *outlive_probes(void *argument)
{
    struct crowd *crowd = argument;

    for (int64_t i = 0; i < ROUNDS; i++) {
        int64_t at_ms = 1000 + i * BREAKER_LOST_MS;

        atomic_fetch_add(&crowd->arrived, 1);
        while (atomic_load(&crowd->arrived) < (i + 1) * THREADS)
            sched_yield();
        atomic_fetch_add(&crowd->answers[breaker_ask(crowd->breaker, at_ms * MS)], 1);
    }
    return NULL;
}

static void of_many_threads_one_takes_each_turn_to_probe(void **state)
{
    struct crowd crowd = {.breaker = breaker_new(1)};

    (void)state;
    fail_at(crowd.breaker, 0);
    in_threads(outlive_probes, &crowd);
    assert_int_equal(crowd.answers[BREAKER_PROBE], ROUNDS);
    assert_int_equal(crowd.answers[BREAKER_OPEN], ROUNDS * (THREADS - 1));
    breaker_free(crowd.breaker);
}

/* Each thread has its own text, whose letters are all the same. */
static bool is_torn(const char *text)
{
    const char *part = strstr(text, "ago: ");

    if (part == NULL)
        return false;
    part += 5;
    return strspn(part, (char[]){part[0], '\0'}) != 300;
}

static void *fail_probe_and_read(void *argument)
{
    static atomic_int letters;
    struct crowd *crowd = argument;
    struct status failure = STATUS_INIT, status;

    failure.outcome = OUTCOME_KME;
    memset(failure.text, 'a' + atomic_fetch_add(&letters, 1) % 26, 300);
    for (int64_t i = 0; i < ROUNDS; i++) {
        /* All clocks near each other, far slower than a probe is lost. */
        int64_t now_ns = i * MS / 10;

        breaker_failed(crowd->breaker, &failure, now_ns);
        if (breaker_ask(crowd->breaker, now_ns) == BREAKER_PROBE) {
            if (atomic_fetch_add(&crowd->probing, 1) != 0)
                atomic_fetch_add(&crowd->overlaps, 1);
            atomic_fetch_add(&crowd->answers[BREAKER_PROBE], 1);
            sched_yield();
            atomic_fetch_sub(&crowd->probing, 1);
            breaker_probe_ended(crowd->breaker, i % 2 == 0, now_ns);
        }
        status_clear(&status);
        breaker_refuse(crowd->breaker, now_ns, &status);
        if (is_torn(status.text))
            atomic_fetch_add(&crowd->torn, 1);
    }
    return NULL;
}

/* From 0 to 2 s by each thread's clock: no probe is given up for lost. */
static void under_load_probes_do_not_overlap_and_texts_are_whole(void **state)
{
    struct crowd crowd = {.breaker = breaker_new(THRESHOLD)};

    (void)state;
    in_threads(fail_probe_and_read, &crowd);
    assert_int_equal(crowd.overlaps, 0);
    assert_int_equal(crowd.torn, 0);
    assert_true(crowd.answers[BREAKER_PROBE] > 0);
    breaker_free(crowd.breaker);
}

static int child_of_an_open_breaker(void *argument)
{
    struct breaker *breaker = argument;
    struct status status = STATUS_INIT;

    breaker_refuse(breaker, 0, &status);
    if (strstr(status.text, "no answer within") != NULL)
        return 1;
    if (breaker_ask(breaker, 0) != BREAKER_CLOSED)
        return 2;
    fail_at(breaker, 0);
    fail_at(breaker, 0);
    if (breaker_ask(breaker, 0) != BREAKER_CLOSED)
        return 3;
    fail_at(breaker, 0);
    status_clear(&status);
    breaker_refuse(breaker, 0, &status);
    if (strstr(status.text, "it failed 3 times") == NULL)
        return 4;
    breaker_good(breaker);
    return 0;
}

static void a_forked_child_begins_as_new(void **state)
{
    struct breaker *breaker = breaker_new(THRESHOLD);

    (void)state;
    for (int i = 0; i < THRESHOLD; i++)
        fail_at(breaker, 0);
    assert_int_equal(in_child(child_of_an_open_breaker, breaker), 0);
    assert_int_equal(breaker_ask(breaker, 0), BREAKER_OPEN);
    breaker_free(breaker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(probes_come_one_at_a_time_after_growing_pauses),
        cmocka_unit_test(a_good_probe_lets_callers_through_and_one_failure_opens_again),
        cmocka_unit_test(a_probe_that_is_lost_is_followed_by_another),
        cmocka_unit_test(late_failures_of_others_end_no_probe),
        cmocka_unit_test(what_is_stale_gets_one_regular_attempt),
        cmocka_unit_test(the_end_of_no_probe_changes_nothing),
        cmocka_unit_test(thresholds_are_taken_into_their_range),
        cmocka_unit_test(times_far_ahead_are_kept),
        cmocka_unit_test(a_refusal_tells_the_last_failure_and_its_age),
        cmocka_unit_test(a_long_text_leaves_room_for_the_rest),
        cmocka_unit_test(of_many_threads_one_probes_or_tries),
        cmocka_unit_test(of_many_threads_one_takes_each_turn_to_probe),
        cmocka_unit_test(under_load_probes_do_not_overlap_and_texts_are_whole),
        cmocka_unit_test(a_forked_child_begins_as_new),
    };

    return RUN_TESTS(tests);
}
