#include "clock.h"

#include "unit.h"

/* The expected values come from Python's datetime. */
static const struct {
    int64_t ms;
    const char *text;
} known[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {1, "1970-01-01T00:00:00.001Z"},
    {-1, "1969-12-31T23:59:59.999Z"},
    {-1000, "1969-12-31T23:59:59.000Z"},
    {1753093800123, "2025-07-21T10:30:00.123Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {2147483648000, "2038-01-19T03:14:08.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
    {-62167219200000, "0000-01-01T00:00:00.000Z"},
};

static void formats_known_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(known); i++) {
        char text[CLOCK_TIMESTAMP_SIZE];
        clock_format_timestamp(known[i].ms, text);
        assert_string_equal(text, known[i].text);
    }
}

static void parses_what_it_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(known); i++) {
        int64_t ms = 42;
        assert_int_equal(clock_parse_timestamp(known[i].text, strlen(known[i].text), &ms), 0);
        assert_int_equal(ms, known[i].ms);
    }
}

static void clamps_times_without_four_digit_years(void **state)
{
    char text[CLOCK_TIMESTAMP_SIZE];

    (void)state;
    clock_format_timestamp(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_format_timestamp(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

static void refuses_anything_else(void **state)
{
    static const char *const bad[] = {
        "",
        "2025-07-21T10:30:00.123",
        "2025-07-21T10:30:00.123Z ",
        " 2025-07-21T10:30:00.123",
        "2025-07-21 10:30:00.123Z",
        "2025-07-21t10:30:00.123Z",
        "2025-07-21T10:30:00.123z",
        "2025-07-21T10:30:00,123Z",
        "2025-02-30T00:00:00.000Z",
        "2025-02-29T00:00:00.000Z",
        "1900-02-29T00:00:00.000Z",
        "2025-00-01T00:00:00.000Z",
        "2025-13-01T00:00:00.000Z",
        "2025-01-00T00:00:00.000Z",
        "2025-04-31T00:00:00.000Z",
        "2025-07-21T24:00:00.000Z",
        "2025-07-21T10:60:00.000Z",
        "2016-12-31T23:59:60.000Z",
        "2025-07-21T10:30:00.12xZ",
        "-025-07-21T10:30:00.123Z",
        "+2025-07-21T10:30:0.123Z",
        "9999-12-31T23:59:60.000Z",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        int64_t ms = 42;
        if (clock_parse_timestamp(bad[i], strlen(bad[i]), &ms) != -1 || ms != 42)
            FAIL_CASE("accepted: %s", bad[i]);
    }
}

static void needs_no_terminator(void **state)
{
    const char text[] = "2025-07-21T10:30:00.123Zgarbage";
    int64_t ms;

    (void)state;
    assert_int_equal(clock_parse_timestamp(text, CLOCK_TIMESTAMP_LENGTH, &ms), 0);
    assert_int_equal(ms, 1753093800123);
}

static void survives_every_byte_in_every_place(void **state)
{
    (void)state;
    for (size_t place = 0; place < CLOCK_TIMESTAMP_LENGTH; place++)
        for (int byte = 0; byte < 256; byte++) {
            char text[CLOCK_TIMESTAMP_SIZE] = "2025-07-21T10:30:00.123Z";
            char again[CLOCK_TIMESTAMP_SIZE];
            int64_t ms;

            text[place] = (char)byte;
            if (clock_parse_timestamp(text, CLOCK_TIMESTAMP_LENGTH, &ms) != 0)
                continue;
            clock_format_timestamp(ms, again);
            assert_string_equal(again, text);
        }
}

static void clocks_run(void **state)
{
    (void)state;
    int64_t first_ns = clock_monotonic_ns(), first_ms = clock_monotonic_ms();
    assert_in_range(first_ms - first_ns / 1000000, 0, 60000);
    assert_true(clock_monotonic_ns() >= first_ns);
    assert_true(clock_realtime_ms() > INT64_C(1750000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_known_times),
        cmocka_unit_test(parses_what_it_formats),
        cmocka_unit_test(clamps_times_without_four_digit_years),
        cmocka_unit_test(refuses_anything_else),
        cmocka_unit_test(needs_no_terminator),
        cmocka_unit_test(survives_every_byte_in_every_place),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
