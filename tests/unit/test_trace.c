#include "trace.h"

#include "unit.h"

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT_ID "00f067aa0ba902b7"
#define VALID "00-" TRACE_ID "-" PARENT_ID "-01"

static void a_valid_header_is_read(void **state)
{
    static const char *const good[] = {
        VALID,
        /* A later version may have more, after a dash. */
        "01-" TRACE_ID "-" PARENT_ID "-01",
        "cc-" TRACE_ID "-" PARENT_ID "-01-what-the-future-will-be-like",
        "fe-" TRACE_ID "-" PARENT_ID "-01-",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        struct trace trace;
        if (trace_parse(good[i], &trace) != 0)
            FAIL_CASE("refused: %s", good[i]);
        assert_string_equal(trace.trace_id, TRACE_ID);
        assert_string_equal(trace.parent_id, PARENT_ID);
        assert_string_equal(trace.flags, "01");
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE_ID "-" PARENT_ID,
        "00-" TRACE_ID "-" PARENT_ID "-",
        "00-" TRACE_ID "-" PARENT_ID "-1",
        VALID "-",
        VALID "-what-the-future-will-be-like",
        VALID ".",
        VALID " ",
        " " VALID,
        "cc-" TRACE_ID "-" PARENT_ID "-01.what",
        "cc-" TRACE_ID "-" PARENT_ID "-011",
        "ff-" TRACE_ID "-" PARENT_ID "-01",
        "0-" TRACE_ID "-" PARENT_ID "-01",
        "000-" TRACE_ID "-" PARENT_ID "-01",
        "0x-" TRACE_ID "-" PARENT_ID "-01",
        "FE-" TRACE_ID "-" PARENT_ID "-01",
        "00-00000000000000000000000000000000-" PARENT_ID "-01",
        "00-" TRACE_ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT_ID "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-" PARENT_ID "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT_ID "-01x",
        "00-" TRACE_ID "-00F067AA0BA902B7-01",
        "00-" TRACE_ID "-00f067aa0ba902b.-01",
        "00-" TRACE_ID "-" PARENT_ID "-0G",
        "00-" TRACE_ID "-" PARENT_ID "-.1",
        "00_" TRACE_ID "-" PARENT_ID "-01",
        "00-" TRACE_ID "_" PARENT_ID "-01",
        "00-" TRACE_ID "-" PARENT_ID "_01",
    };
    struct trace trace;

    (void)state;
    assert_int_equal(trace_parse(NULL, &trace), -1);
    for (size_t i = 0; i < LENGTH(bad); i++)
        if (trace_parse(bad[i], &trace) != -1)
            FAIL_CASE("accepted: %s", bad[i]);
}

static void a_header_is_never_read_beyond_its_end(void **state)
{
    struct trace trace;

    (void)state;
    for (size_t length = 0; length < strlen(VALID); length++) {
        char *header = strndup(VALID, length); /* of just this size, for the address sanitizer */
        assert_non_null(header);
        assert_int_equal(trace_parse(header, &trace), -1);
        free(header);
    }
}

static void a_trace_goes_on_with_a_span_of_its_own(void **state)
{
    struct trace parent, child;
    char header[TRACE_PARENT_SIZE];

    (void)state;
    assert_int_equal(trace_parse(VALID, &parent), 0);
    trace_continue(&parent, header);
    assert_int_equal(strlen(header), TRACE_PARENT_SIZE - 1);
    assert_int_equal(trace_parse(header, &child), 0);
    assert_string_equal(child.trace_id, TRACE_ID);
    assert_string_equal(child.flags, "01");
    assert_string_not_equal(child.parent_id, PARENT_ID);
}

static void a_new_trace_differs_each_time(void **state)
{
    struct trace first, second;
    char header[TRACE_PARENT_SIZE];

    (void)state;
    trace_continue(NULL, header);
    assert_int_equal(trace_parse(header, &first), 0);
    trace_continue(NULL, header);
    assert_int_equal(trace_parse(header, &second), 0);
    assert_string_not_equal(first.trace_id, second.trace_id);
    assert_string_equal(first.flags, "00");
}

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define KEY_256 "a" FIFTY FIFTY FIFTY FIFTY FIFTY "01234"
#define EIGHT_MEMBERS "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,"
#define MEMBERS_32 EIGHT_MEMBERS EIGHT_MEMBERS EIGHT_MEMBERS EIGHT_MEMBERS

static void a_state_of_the_standards_form_is_passed_on(void **state)
{
    static const char *const good[] = {
        "a=1",
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "0a_-*/=~!\"#+-.:;<>?@AZ[]|",
        "a=b c",
        "a=1 ,\tb=2",
        ",a=1,,b=2, ,",
        "tenant@system=1",
        /* Level 2: an @ may be anywhere but first. */
        "a@=1,b@@c=2,d@e@f=3",
        KEY_256 "=1",
        "t@" FIFTY FIFTY FIFTY FIFTY FIFTY "0123=1",
        "a=" FIFTY FIFTY FIFTY FIFTY FIFTY "012345",
        MEMBERS_32,
        "," MEMBERS_32 ",,",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++)
        if (!trace_state_is_valid(good[i]))
            FAIL_CASE("refused: %s", good[i]);
}

static void any_other_state_is_not(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        ",",
        "a",
        "=1",
        "a=",
        "a=1,b",
        "A=1",
        "a.b=1",
        "a =1",
        "a b=1",
        "@a=1",
        "_a=1",
        "a=b=c",
        "a=\x01",
        "a=1\tb",
        "a=\x7F",
        "a=\xC3\xA4",
        "\xC3\xA4=1",
        KEY_256 "x=1",
        "a=" FIFTY FIFTY FIFTY FIFTY FIFTY "0123456",
        MEMBERS_32 "z=1",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++)
        if (trace_state_is_valid(bad[i]))
            FAIL_CASE("accepted: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_header_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_header_is_never_read_beyond_its_end),
        cmocka_unit_test(a_trace_goes_on_with_a_span_of_its_own),
        cmocka_unit_test(a_new_trace_differs_each_time),
        cmocka_unit_test(a_state_of_the_standards_form_is_passed_on),
        cmocka_unit_test(any_other_state_is_not),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
