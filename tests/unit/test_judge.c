#include "judge.h"

#include "unit.h"

#include <malloc.h>

#define BIT(violation) (1U << (violation))

static struct judge *make(bool exclusive)
{
    struct judge *judge = judge_create(exclusive);
    assert_non_null(judge);
    return judge;
}

/* A request that is sent now and answered at once. */
static unsigned ask(struct judge *judge, int64_t number)
{
    return judge_answered(judge, judge_sent(judge), number);
}

static uint64_t violations(const struct judge *judge)
{
    struct judge_counts counts = judge_counts(judge);
    uint64_t sum = 0;
    for (size_t i = 0; i < JUDGE_VIOLATION_COUNT; i++)
        sum += counts.violations[i];
    return sum;
}

static void test_numbers_that_grow(void **state)
{
    struct judge *judge = make(false);
    (void)state;

    /* Others ping too, so some are missing; 0 is a number. */
    static const int64_t numbers[] = {0, 1, 2, 5, 1000, 1000000, INT64_C(1) << 53, INT64_MAX};
    for (size_t i = 0; i < LENGTH(numbers); i++)
        assert_int_equal(ask(judge, numbers[i]), 0);
    assert_int_equal(judge_counts(judge).judged, LENGTH(numbers));
    assert_int_equal(judge_counts(judge).lowest, 0);
    assert_true(judge_counts(judge).highest == INT64_MAX);
    judge_destroy(judge);
}

/* Each is found by the very answer that breaks the promise. */
static void test_each_violation_at_once(void **state)
{
    (void)state;
    for (int exclusive = 0; exclusive < 2; exclusive++) {
        struct judge *judge = make(exclusive != 0);
        for (int64_t i = 10; i < 20; i++)
            assert_int_equal(ask(judge, i), 0);
        assert_int_equal(ask(judge, 19), BIT(JUDGE_REPEATED));
        assert_int_equal(ask(judge, 10), BIT(JUDGE_REPEATED));
        assert_int_equal(ask(judge, 9), BIT(JUDGE_BACKWARDS));
        assert_int_equal(ask(judge, 20), 0);
        assert_int_equal(judge_counts(judge).violations[JUDGE_REPEATED], 2);
        assert_int_equal(judge_counts(judge).violations[JUDGE_BACKWARDS], 1);
        assert_int_equal(violations(judge), 3);
        judge_destroy(judge);
    }
}

static void test_requests_that_overlap(void **state)
{
    struct judge *judge = make(true);
    (void)state;

    assert_int_equal(ask(judge, 1), 0);
    int64_t slow = judge_sent(judge);
    assert_int_equal(slow, 1);
    assert_int_equal(ask(judge, 3), 0);
    /* Smaller than 3, which was acknowledged after it was sent. */
    assert_int_equal(judge_answered(judge, slow, 2), 0);
    /* The same number for two that overlap: above both floors, and seen. */
    int64_t first = judge_sent(judge), second = judge_sent(judge);
    assert_int_equal(judge_answered(judge, first, 4), 0);
    assert_int_equal(judge_answered(judge, second, 4), BIT(JUDGE_REPEATED));
    judge_destroy(judge);
}

static void test_the_first_answers_may_come_in_any_order(void **state)
{
    struct judge *judge = make(true);
    int64_t floors[3];
    (void)state;

    for (size_t i = 0; i < 3; i++)
        floors[i] = judge_sent(judge);
    assert_int_equal(judge_answered(judge, floors[0], 7), 0);
    assert_int_equal(judge_answered(judge, floors[1], 5), 0);
    assert_int_equal(judge_answered(judge, floors[2], 6), 0);
    assert_int_equal(judge_counts(judge).lowest, 5);
    assert_int_equal(judge_counts(judge).missing, 0);
    judge_destroy(judge);
}

static void test_a_missing_number_if_nobody_else_pings(void **state)
{
    struct judge *judge = make(true);
    (void)state;

    assert_int_equal(ask(judge, 1), 0);
    assert_int_equal(ask(judge, 3), BIT(JUDGE_MISSING));
    /* It is told once. */
    assert_int_equal(ask(judge, 4), 0);
    assert_int_equal(ask(judge, 7), BIT(JUDGE_MISSING));
    assert_int_equal(judge_counts(judge).violations[JUDGE_MISSING], 3);
    judge_destroy(judge);

    judge = make(false);
    assert_int_equal(ask(judge, 1), 0);
    assert_int_equal(ask(judge, 3), 0);
    judge_destroy(judge);
}

static void test_a_missing_number_that_is_explained(void **state)
{
    struct judge *judge = make(true);
    (void)state;

    assert_int_equal(ask(judge, 1), 0);
    int64_t floor = judge_sent(judge);
    (void)judge_sent(judge);
    assert_int_equal(judge_failed(judge, true), 0);
    (void)floor;
    /* One may have been counted, one is in flight: two may be missing, and not three. */
    assert_int_equal(ask(judge, 4), 0);
    assert_int_equal(ask(judge, 6), BIT(JUDGE_MISSING));
    judge_destroy(judge);
}

/* "not counted" was said of a ping that was counted. */
static void test_a_lie_is_found_when_the_request_has_ended(void **state)
{
    struct judge *judge = make(true);
    (void)state;

    assert_int_equal(ask(judge, 1), 0);
    (void)judge_sent(judge);
    assert_int_equal(ask(judge, 3), 0);
    assert_int_equal(judge_failed(judge, false), BIT(JUDGE_MISSING));
    judge_destroy(judge);
}

static void test_below_the_window(void **state)
{
    struct judge *judge = make(false);
    (void)state;

    assert_int_equal(ask(judge, 5), 0);
    int64_t early = judge_sent(judge);
    assert_int_equal(ask(judge, 5 + JUDGE_WINDOW - 1), 0);
    assert_int_equal(ask(judge, 5), BIT(JUDGE_REPEATED)); /* the last that is remembered */
    assert_int_equal(ask(judge, 5 + JUDGE_WINDOW), 0);
    /* Not known to be seen, and convicted by its floor all the same. */
    assert_int_equal(ask(judge, 5), BIT(JUDGE_BACKWARDS));
    assert_int_equal(ask(judge, 5 + 4 * JUDGE_WINDOW), 0);
    /* Above its floor, and nobody knows whether it was given since. */
    assert_int_equal(judge_answered(judge, early, 6), BIT(JUDGE_UNJUDGED));
    judge_destroy(judge);
}

/* The places of forgotten numbers are free again, whatever steps the count makes. */
static void test_steps_of_every_size(void **state)
{
    struct judge *judge = make(false);
    int64_t number = 3;
    (void)state;

    for (int64_t step = 1; step < 5 * JUDGE_WINDOW; step += 1 + step / 7) {
        number += step;
        assert_int_equal(ask(judge, number), 0);
        assert_int_equal(ask(judge, number), BIT(JUDGE_REPEATED));
    }
    judge_destroy(judge);
}

/* The judge beside a plain set that remembers everything: a random history of overlapping requests
 * whose service sometimes repeats. */
enum { NUMBERS = 200000, OVERLAP = 32 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void test_against_a_set(void **state)
{
    static bool seen[NUMBERS];
    struct {
        int64_t floor, number;
    } open[OVERLAP] = {{0}};
    struct judge *judge = make(false);
    int64_t count = 0;
    uint32_t seed = 1;
    uint64_t repeats = 0, found = 0;

    (void)state;
    for (size_t i = 0; i < OVERLAP; i++) {
        open[i].floor = judge_sent(judge);
        open[i].number = ++count;
    }
    while (count < NUMBERS - 1) {
        size_t i = next_random(&seed) % OVERLAP;
        bool repeated = seen[open[i].number];
        unsigned result = judge_answered(judge, open[i].floor, open[i].number);
        repeats += repeated;
        found += result == BIT(JUDGE_REPEATED);
        assert_int_equal(result == BIT(JUDGE_REPEATED), repeated);
        seen[open[i].number] = true;
        open[i].floor = judge_sent(judge);
        open[i].number = next_random(&seed) % 1000 == 0
                             ? (int64_t)(next_random(&seed) % (uint64_t)count) + 1
                             : ++count;
    }
    assert_true(repeats > 100);
    assert_int_equal(found, repeats);
    judge_destroy(judge);
}

/* A count of many windows: nothing grows, and what is wrong at its end is found. */
static void test_a_long_run_in_bounded_memory(void **state)
{
    struct judge *judge = make(true);
    (void)state;

    assert_int_equal(ask(judge, 1), 0);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (int64_t i = 2; i < 3 * JUDGE_WINDOW; i++)
        if (ask(judge, i) != 0)
            FAIL_CASE("number %lld", (long long)i);
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd <= before);
    assert_int_equal(judge_counts(judge).missing, 0);
    assert_int_equal(ask(judge, 3 * JUDGE_WINDOW - 1), BIT(JUDGE_REPEATED));
    assert_int_equal(ask(judge, 1), BIT(JUDGE_BACKWARDS));
    assert_int_equal(ask(judge, 3 * JUDGE_WINDOW), 0);
    judge_destroy(judge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_that_grow),
        cmocka_unit_test(test_each_violation_at_once),
        cmocka_unit_test(test_requests_that_overlap),
        cmocka_unit_test(test_the_first_answers_may_come_in_any_order),
        cmocka_unit_test(test_a_missing_number_if_nobody_else_pings),
        cmocka_unit_test(test_a_missing_number_that_is_explained),
        cmocka_unit_test(test_a_lie_is_found_when_the_request_has_ended),
        cmocka_unit_test(test_below_the_window),
        cmocka_unit_test(test_steps_of_every_size),
        cmocka_unit_test(test_against_a_set),
        cmocka_unit_test(test_a_long_run_in_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
