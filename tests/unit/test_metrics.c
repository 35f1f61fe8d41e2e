#include "metrics.h"

#include "unit.h"

#include <math.h>

/* An output that is compared as text. */
static char *text;
static size_t size;
static FILE *out;

static int begin(void **state)
{
    (void)state;
    out = open_memstream(&text, &size);
    return out == NULL;
}

static int end(void **state)
{
    (void)state;
    free(text);
    return 0;
}

static void expect(const char *expected)
{
    fclose(out);
    assert_string_equal(text, expected);
}

static void counters_and_gauges(void **state)
{
    (void)state;
    metrics_write_counter(out, "pings_total", "Pings answered.", UINT64_MAX);
    metrics_write_gauge(out, "age_seconds", "Age.", 0.25);
    expect("# HELP pings_total Pings answered.\n# TYPE pings_total counter\n"
           "pings_total 18446744073709551615\n"
           "# HELP age_seconds Age.\n# TYPE age_seconds gauge\nage_seconds 0.25\n");
}

static void numbers(void **state)
{
    (void)state;
    metrics_write_sample(out, "m", NULL, 0);
    metrics_write_sample(out, "m", NULL, -1);
    metrics_write_sample(out, "m", NULL, 1753093800);
    metrics_write_sample(out, "m", NULL, 1e14);
    metrics_write_sample(out, "m", NULL, 0.1);
    metrics_write_sample(out, "m", NULL, 1.5e-7);
    metrics_write_sample(out, "m", NULL, NAN);
    expect("m 0\nm -1\nm 1753093800\nm 100000000000000\nm 0.1\nm 1.5e-07\nm NaN\n");
}

static void infinities_as_the_format_spells_them(void **state)
{
    (void)state;
    metrics_write_sample(out, "m", NULL, INFINITY);
    metrics_write_sample(out, "m", NULL, -INFINITY);
    fclose(out);
    /* The format reads what Go's ParseFloat reads, in any case. */
    assert_true(strcasecmp(text, "m +Inf\nm -Inf\n") == 0 ||
                strcasecmp(text, "m inf\nm -inf\n") == 0);
}

static void labels_stand_in_braces(void **state)
{
    (void)state;
    metrics_write_sample(out, "requests_total", "route=\"/ping\",code=\"200\"", 7);
    expect("requests_total{route=\"/ping\",code=\"200\"} 7\n");
}

static void labels_are_escaped(void **state)
{
    char escaped[32];

    (void)state;
    metrics_escape_label("a\\b\"c\nd", escaped, sizeof escaped);
    assert_string_equal(escaped, "a\\\\b\\\"c\\nd");
    fclose(out);
}

static void labels_that_do_not_fit_are_cut(void **state)
{
    (void)state;
    for (size_t room = 1; room < 12; room++) {
        char escaped[16];
        memset(escaped, '#', sizeof escaped);
        metrics_escape_label("\"\"\"\"\"\"\"\"", escaped, room);
        size_t length = strlen(escaped);
        assert_true(length < room);
        assert_int_equal(length % 2, 0); /* no half of an escape */
        assert_int_equal(escaped[room], '#');
    }
    fclose(out);
}

static const double bounds[] = {0.5, 1, 2.5};

static void histograms_count_by_upper_bound(void **state)
{
    struct histogram histogram = {.bounds = bounds, .bound_count = LENGTH(bounds)};

    (void)state;
    histogram_observe(&histogram, 0.5); /* a bound belongs to its bucket */
    histogram_observe(&histogram, 0.25);
    histogram_observe(&histogram, 2);
    histogram_observe(&histogram, 10);
    metrics_write_histogram(out, "h", NULL, &histogram);
    expect("h_bucket{le=\"0.5\"} 2\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"2.5\"} 3\n"
           "h_bucket{le=\"+Inf\"} 4\nh_sum 12.75\nh_count 4\n");
}

static void histograms_with_labels(void **state)
{
    struct histogram histogram = {.bounds = bounds, .bound_count = 1};

    (void)state;
    metrics_write_histogram(out, "h", "route=\"/\"", &histogram);
    expect("h_bucket{route=\"/\",le=\"0.5\"} 0\nh_bucket{route=\"/\",le=\"+Inf\"} 0\n"
           "h_sum{route=\"/\"} 0\nh_count{route=\"/\"} 0\n");
}

static void the_bounds_for_seconds_ascend(void **state)
{
    (void)state;
    assert_in_range(histogram_seconds_bound_count, 1, HISTOGRAM_BUCKETS_MAX);
    for (size_t i = 1; i < histogram_seconds_bound_count; i++)
        assert_true(histogram_seconds_bounds[i - 1] < histogram_seconds_bounds[i]);
    fclose(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters_and_gauges),
        TEST(numbers),
        TEST(infinities_as_the_format_spells_them),
        TEST(labels_stand_in_braces),
        TEST(labels_are_escaped),
        TEST(labels_that_do_not_fit_are_cut),
        TEST(histograms_count_by_upper_bound),
        TEST(histograms_with_labels),
        TEST(the_bounds_for_seconds_ascend),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
