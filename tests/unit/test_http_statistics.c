#include "http/statistics.h"

#include "http/server.h"
#include "unit.h"

static const char *label(const void *context, size_t route)
{
    static const char *const labels[] = {"/", "/ping", "other"};
    assert_string_equal(context, "context");
    return labels[route];
}

static char *written(const struct http_statistics *statistics)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    http_statistics_write(statistics, label, "context", out);
    fclose(out);
    return text;
}

static void expect_line(const char *text, const char *line)
{
    char whole[256];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        FAIL_CASE("no line %s in:\n%s", line, text);
}

static void requests_are_counted_by_route_method_and_code(void **state)
{
    struct http_statistics *statistics = http_statistics_create(2);

    (void)state;
    assert_non_null(statistics);
    http_statistics_record(statistics, 1, HTTP_GET, 200, 2000000);
    http_statistics_record(statistics, 1, HTTP_GET, 200, 300000000);
    http_statistics_record(statistics, 1, HTTP_POST, 503, 0);
    http_statistics_record(statistics, 0, HTTP_HEAD, 200, 1);
    http_statistics_record(statistics, 2, 0, 404, INT64_C(7000000000));
    http_statistics_record(statistics, 2, HTTP_GET, 599, 1);
    char *text = written(statistics);
    expect_line(text, "http_requests_total{route=\"/ping\",method=\"GET\",code=\"200\"} 2");
    expect_line(text, "http_requests_total{route=\"/ping\",method=\"POST\",code=\"503\"} 1");
    expect_line(text, "http_requests_total{route=\"/\",method=\"HEAD\",code=\"200\"} 1");
    expect_line(text, "http_requests_total{route=\"other\",method=\"other\",code=\"404\"} 1");
    expect_line(text, "http_requests_total{route=\"other\",method=\"GET\",code=\"other\"} 1");
    expect_line(text, "http_request_duration_seconds_bucket{route=\"/ping\",le=\"0.0025\"} 2");
    expect_line(text, "http_request_duration_seconds_bucket{route=\"/ping\",le=\"+Inf\"} 3");
    expect_line(text, "http_request_duration_seconds_sum{route=\"/ping\"} 0.302");
    expect_line(text, "http_request_duration_seconds_bucket{route=\"other\",le=\"5\"} 1");
    expect_line(text, "http_request_duration_seconds_count{route=\"other\"} 2");
    free(text);
    http_statistics_destroy(statistics);
}

static void what_was_never_asked_for_has_no_line(void **state)
{
    struct http_statistics *statistics = http_statistics_create(2);

    (void)state;
    assert_non_null(statistics);
    char *text = written(statistics);
    assert_null(strstr(text, "http_requests_total{"));
    expect_line(text, "# TYPE http_requests_total counter");
    expect_line(text, "# TYPE http_request_duration_seconds histogram");
    expect_line(text, "http_request_duration_seconds_count{route=\"/\"} 0");
    free(text);
    http_statistics_destroy(statistics);
    http_statistics_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_route_method_and_code),
        cmocka_unit_test(what_was_never_asked_for_has_no_line),
    };
    return cmocka_run_group_tests_name("http_statistics", tests, NULL, NULL);
}
