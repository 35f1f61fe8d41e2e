/* The small pure modules of the witness; the judge has a test of its own. */
#include "latency.h"
#include "outage.h"
#include "reading.h"
#include "schedule.h"
#include "versions.h"

#include "unit.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

static void test_the_schedule_of_an_open_loop(void **state)
{
    static const int64_t rates[] = {1, 3, 7, 10, 333, 10000};
    (void)state;

    for (size_t i = 0; i < LENGTH(rates); i++) {
        struct schedule schedule;
        int64_t planned_ns, before_ns = -1, count = 0;
        schedule_init(&schedule, 5, rates[i], 3);
        while (schedule_take(&schedule, 5 + 10 * S, &planned_ns)) {
            if (planned_ns <= before_ns)
                FAIL_CASE("rate %lld: request %lld", (long long)rates[i], (long long)count);
            before_ns = planned_ns;
            assert_true(count % rates[i] != 0 || planned_ns == 5 + count / rates[i] * S);
            count++;
        }
        assert_int_equal(count, 3 * rates[i]);
        assert_true(schedule_is_over(&schedule));
    }
}

static void test_a_request_is_not_early_and_a_stall_loses_none(void **state)
{
    struct schedule schedule;
    int64_t planned_ns;
    (void)state;

    schedule_init(&schedule, 0, 10, 0);
    assert_true(schedule_take(&schedule, 0, &planned_ns));
    assert_false(schedule_take(&schedule, 100 * MS - 1, &planned_ns));
    assert_true(schedule_take(&schedule, 100 * MS, &planned_ns));
    for (int64_t i = 2; i <= 50; i++) {
        assert_true(schedule_take(&schedule, 5 * S, &planned_ns));
        assert_int_equal(planned_ns, i * 100 * MS);
    }
    assert_false(schedule_take(&schedule, 5 * S, &planned_ns));
    /* A year at the highest rate neither overflows nor drifts. */
    schedule_init(&schedule, 0, 10000, 0);
    schedule.next = INT64_C(31536000) * 10000;
    assert_true(schedule_next_ns(&schedule) == INT64_C(31536000) * S);
}

static void test_quantiles(void **state)
{
    static struct latency latency;
    (void)state;

    assert_int_equal(latency_quantile_ns(&latency, 0.5), 0);
    for (int64_t i = 1; i <= 1000; i++)
        latency_observe(&latency, i * MS);
    static const double quantiles[] = {0.001, 0.25, 0.5, 0.9, 0.99, 1};
    for (size_t i = 0; i < LENGTH(quantiles); i++) {
        double exact = quantiles[i] * 1000 * (double)MS;
        double found = (double)latency_quantile_ns(&latency, quantiles[i]);
        if (found < exact || found > exact * 1.125)
            FAIL_CASE("%g: %g for %g", quantiles[i], found, exact);
    }
    latency_observe(&latency, INT64_MAX);
    latency_observe(&latency, -1);
    latency_observe(&latency, 0);
    assert_true(latency_quantile_ns(&latency, 1) == INT64_MAX);
    assert_true(latency_quantile_ns(&latency, 0.0005) == 0);
}

static const struct answerer old = {"1.0.0", "aaa", "pod-1"}, new = {"1.1.0", "bbb", "pod-2"};

static void test_an_outage_from_the_first_failure_to_the_first_answer(void **state)
{
    struct outages outages = {0};
    (void)state;

    assert_false(outages_answer(&outages, 0, &old));
    assert_true(outages_fail(&outages, 100 * MS, false, "unreachable"));
    assert_false(outages_fail(&outages, 200 * MS, true, "timed_out"));
    /* Planned before the first failure that was seen, and failed later. */
    assert_false(outages_fail(&outages, 50 * MS, true, "timed_out"));
    /* Planned before the last failure: no recovery. */
    assert_false(outages_answer(&outages, 150 * MS, &old));
    assert_false(outages_answer(&outages, 400 * MS, &new));
    assert_false(outages_answer(&outages, 300 * MS, &new));
    assert_true(outages_answer(&outages, 1200 * MS, &old));
    const struct outage *outage = &outages.current;
    assert_false(outage->open);
    assert_int_equal(outage->began_ns, 50 * MS);
    assert_int_equal(outage->ended_ns, 300 * MS);
    assert_int_equal(outage->failed, 3);
    assert_int_equal(outage->may_be_counted, 2);
    assert_string_equal(outage->reason, "unreachable");
    assert_string_equal(outage->before.instance, "pod-1");
    assert_string_equal(outage->after.instance, "pod-2");
    assert_int_equal(outages_total_ns(&outages, 9 * S), 250 * MS);
    assert_int_equal(outages.count, 1);
}

static void test_failures_close_together_are_one_outage(void **state)
{
    struct outages outages = {0};
    int64_t total_ns = 0;
    int ended = 0;
    (void)state;

    /* Every fifth of twenty a second, for ten seconds. */
    for (int64_t i = 0; i < 200; i++) {
        if (i % 5 == 0)
            assert_int_equal(outages_fail(&outages, i * 50 * MS, false, "status 503"), i == 0);
        else
            ended += outages_answer(&outages, i * 50 * MS, &old);
        int64_t now_ns = outages_total_ns(&outages, outages.current.last_failed_ns);
        assert_true(now_ns >= total_ns); /* as a counter has to be */
        total_ns = now_ns;
    }
    assert_int_equal(ended, 0);
    for (int64_t i = 200; i < 240; i++)
        ended += outages_answer(&outages, i * 50 * MS, &old);
    assert_int_equal(ended, 1);
    assert_int_equal(outages_total_ns(&outages, 0), 196 * 50 * MS);
    assert_true(outages_total_ns(&outages, 0) >= total_ns);
    assert_true(outages_fail(&outages, 20 * S, false, "status 503"));
    assert_int_equal(outages.count, 2);
    assert_int_equal(outages_total_ns(&outages, 21 * S), 196 * 50 * MS + S);
}

static void test_versions_appear_and_are_gone(void **state)
{
    static struct versions versions;
    int64_t now_ns = 0;
    bool appeared;
    (void)state;

    assert_int_equal(versions_note(&versions, &old, now_ns, &appeared), 0);
    assert_true(appeared);
    assert_int_equal(versions_note(&versions, &new, now_ns, &appeared), 1);
    assert_true(appeared);
    for (int i = 0; i < VERSIONS_GONE_ANSWERS; i++) {
        assert_int_equal(versions_next_gone(&versions, now_ns), VERSIONS_OTHER);
        now_ns += 100 * MS;
        versions_note(&versions, &old, now_ns, &appeared);
        assert_false(appeared);
    }
    assert_int_equal(versions_next_gone(&versions, now_ns), 1);
    assert_int_equal(versions_next_gone(&versions, now_ns), VERSIONS_OTHER);
    assert_int_equal(versions_note(&versions, &new, now_ns, &appeared), 1);
    assert_true(appeared);
}

static void test_the_table_of_versions_is_bounded(void **state)
{
    static struct versions versions;
    struct answerer answerer = {.version = ""};
    bool appeared;
    (void)state;

    for (int i = 0; i < 1000; i++) {
        snprintf(answerer.version, sizeof answerer.version, "1.0.%d", i);
        size_t row = versions_note(&versions, &answerer, i * MS, &appeared);
        assert_int_equal(row, i < VERSIONS_MAX ? i : VERSIONS_OTHER);
        assert_int_equal(appeared, i < VERSIONS_MAX);
    }
    int64_t now_ns = VERSIONS_GONE_NS + 2 * MS;
    assert_int_equal(versions_next_gone(&versions, now_ns), 0);
    versions.rows[0].counts[0] = 5;
    /* The one that is gone makes place, with nothing of what was counted for it. */
    assert_int_equal(versions_note(&versions, &answerer, now_ns, &appeared), 0);
    assert_true(appeared);
    assert_int_equal(versions.rows[0].counts[0], 0);
    assert_string_equal(versions.rows[0].version, "1.0.999");
}

struct reading_case {
    long status;
    const char *body;
    enum outcome outcome;
    int64_t number;
    const char *reason;
};

static const struct reading_case reading_cases[] = {
    {200, "{\"pong\":7}", OUTCOME_OK, 7, ""},
    {200, " {\"pong\" : 0 }\n", OUTCOME_OK, 0, ""},
    {200, "{\"pong\":9223372036854775807}", OUTCOME_OK, INT64_MAX, ""},
    {200, "{\"pong\":9007199254740993}", OUTCOME_OK, INT64_C(9007199254740993), ""},
    {200, "{\"file\":\"\\\"pong\\\":5\",\"pong\":6,\"x\":null}", OUTCOME_OK, 6, ""},
    {200, "{\"a\":{\"pong\":5},\"pong\":6}", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "file content: x\nPing / Pongs: 8\n", OUTCOME_OK, 8, ""},
    {200, "Ping / Pongs: 1\nPing / Pongs: 9223372036854775807\n", OUTCOME_OK, INT64_MAX, ""},
    {200, "Ping / Pongs: 12 (cut)\n", OUTCOME_MAY_BE_COUNTED, 0,
     "status 200: Ping / Pongs: 12 (cut)"},
    {200, "Ping / Pongs: 12\nmore\n", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "{\"pong\":9223372036854775808}", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "{\"pong\":-1}", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "{\"pong\":1.5}", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "{\"pong\":1e3}", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "{\"pong\":\"7\"}", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "{\"pong\":7", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "7", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {200, "", OUTCOME_MAY_BE_COUNTED, 0, "status 200, no number"},
    {201, "{\"pong\":7}", OUTCOME_MAY_BE_COUNTED, 0, "status 201"},
    {503, "{\"error\":\"this one was not counted\"}", OUTCOME_NOT_COUNTED, 0,
     "status 503: this one was not counted"},
    {503, "{\"error\":\"this ping may have been counted\"}", OUTCOME_MAY_BE_COUNTED, 0,
     "status 503: this ping may have been counted"},
    {503, "{\"error\":\"not counted, or it may have been counted\"}", OUTCOME_MAY_BE_COUNTED, 0,
     "status 503: not counted, or it may have been counted"},
    /* Only the service's own word, and only where it gives it. */
    {503, "file content: not counted\nPing / Pongs: not available: x\n", OUTCOME_MAY_BE_COUNTED, 0,
     "status 503: Ping / Pongs: not available: x"},
    {503, "a\nPing / Pongs: not available: it was not counted\n", OUTCOME_NOT_COUNTED, 0,
     "status 503: Ping / Pongs: not available: it was not counted"},
    {503, "<html>your request was not counted</html>", OUTCOME_MAY_BE_COUNTED, 0, "status 503"},
    {503, "{\"pong\":null,\"missing\":{\"pong\":\"it was not counted\"}}", OUTCOME_NOT_COUNTED, 0,
     "status 503: it was not counted"},
    {503, "{\"pong\":null,\"missing\":{\"file\":\"not counted\",\"pong\":\"pingpong is away\"}}",
     OUTCOME_MAY_BE_COUNTED, 0, "status 503: pingpong is away"},
    {503, "{\"note\":\"not counted\"}", OUTCOME_MAY_BE_COUNTED, 0, "status 503"},
};

static void test_what_an_answer_says(void **state)
{
    static const char *const headers[] = {"1.2.3", "abc", "pod-7"};
    (void)state;

    for (size_t i = 0; i < LENGTH(reading_cases); i++) {
        const struct reading_case *it = &reading_cases[i];
        const struct client_answer answer = {.result =
                                                 it->status == 200 ? CLIENT_OK : CLIENT_BAD_STATUS,
                                             .was_sent = true,
                                             .status = it->status,
                                             .body = it->body,
                                             .length = strlen(it->body),
                                             .headers = headers};
        struct reading reading;
        reading_take(&answer, &reading);
        if (reading.outcome != it->outcome || strcmp(reading.reason, it->reason) != 0 ||
            (it->outcome == OUTCOME_OK && reading.number != it->number))
            FAIL_CASE("%s: %s, %lld, %s", it->body, outcome_label(reading.outcome),
                      (long long)reading.number, reading.reason);
        assert_string_equal(reading.answerer.version, "1.2.3");
        assert_string_equal(reading.answerer.instance, "pod-7");
    }
}

static void test_who_answered_behind_the_page(void **state)
{
    static const char *const headers[] = {"1.2.3", "abc", "reader-7"};
    static const char known[] = "{\"pong\":7,\"answered_by\":{\"reader\":{\"version\":\"1.2.3\"},"
                                "\"pingpong\":{\"version\":\"2.0.0\",\"commit\":\"def\","
                                "\"instance\":\"pingpong-1\"}}}";
    static const char unknown[] = "{\"pong\":null,\"answered_by\":{\"pingpong\":null}}";
    struct client_answer answer = {.result = CLIENT_OK,
                                   .was_sent = true,
                                   .status = 200,
                                   .body = known,
                                   .length = sizeof known - 1,
                                   .headers = headers};
    struct reading reading;
    (void)state;

    reading_take(&answer, &reading);
    assert_int_equal(reading.outcome, OUTCOME_OK);
    assert_string_equal(reading.answerer.version, "2.0.0");
    assert_string_equal(reading.answerer.commit, "def");
    assert_string_equal(reading.answerer.instance, "pingpong-1");
    answer.body = unknown;
    answer.length = sizeof unknown - 1;
    reading_take(&answer, &reading);
    assert_int_equal(reading.outcome, OUTCOME_MAY_BE_COUNTED);
    assert_string_equal(reading.answerer.version, "");
}

static void test_a_zero_in_an_answer_is_no_end(void **state)
{
    static const char *const headers[] = {"", "", ""};
    const struct client_answer answer = {.result = CLIENT_OK,
                                         .was_sent = true,
                                         .status = 200,
                                         .body = "{\"pong\":7}\0{\"pong\":8}",
                                         .length = 21,
                                         .headers = headers};
    struct reading reading;
    (void)state;

    reading_take(&answer, &reading);
    assert_int_equal(reading.outcome, OUTCOME_MAY_BE_COUNTED);
}

static void test_what_no_answer_says(void **state)
{
    (void)state;
    for (enum client_result i = CLIENT_NONSENSE; i < CLIENT_RESULT_COUNT; i++)
        for (int was_sent = 0; was_sent < 2; was_sent++) {
            const struct client_answer answer = {
                .result = i, .was_sent = was_sent != 0, .body = ""};
            struct reading reading;
            reading_take(&answer, &reading);
            assert_int_equal(reading.outcome, was_sent ? OUTCOME_MAY_BE_COUNTED : OUTCOME_NOT_SENT);
            assert_string_equal(reading.reason, client_result_label(i));
            assert_string_equal(reading.answerer.version, "");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_schedule_of_an_open_loop),
        cmocka_unit_test(test_a_request_is_not_early_and_a_stall_loses_none),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_an_outage_from_the_first_failure_to_the_first_answer),
        cmocka_unit_test(test_failures_close_together_are_one_outage),
        cmocka_unit_test(test_versions_appear_and_are_gone),
        cmocka_unit_test(test_the_table_of_versions_is_bounded),
        cmocka_unit_test(test_what_an_answer_says),
        cmocka_unit_test(test_who_answered_behind_the_page),
        cmocka_unit_test(test_a_zero_in_an_answer_is_no_end),
        cmocka_unit_test(test_what_no_answer_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
