#include "reader/pong_reply.h"

#include "unit.h"

static void takes_a_number(void **state)
{
    static const struct {
        const char *text;
        int64_t number;
    } good[] = {
        {"{\"pong\":0}", 0},
        {"{\"pong\":42}", 42},
        {"{\"pong\":9007199254740993}", 9007199254740993},
        {"{\"pong\":9223372036854775807}", INT64_MAX},
        {" { \"pong\" : 7 } \r\n", 7},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        int64_t number = -1;
        assert_int_equal(pong_reply_parse(good[i].text, strlen(good[i].text), &number), 0);
        assert_int_equal(number, good[i].number);
    }
}

static void refuses_anything_else(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "null",
        "42",
        "\"pong\"",
        "[42]",
        "{}",
        "{\"pong\":}",
        "{\"pong\":null}",
        "{\"pong\":\"42\"}",
        "{\"pong\":true}",
        "{\"pong\":[42]}",
        "{\"pong\":-1}",
        "{\"pong\":1.5}",
        "{\"pong\":9223372036854775808}",
        "{\"pong\":1e3}",
        "{\"pong\":07}",
        "{\"pong\":1e400}",
        "{\"pong\":-1e400}",
        "{\"pong\":nan}",
        "{\"Pong\":42}",
        "{\"ping\":42}",
        "{\"pong\":42,\"more\":1}",
        "{\"more\":1,\"pong\":42}",
        "{\"pong\":42,\"pong\":43}",
        "{\"pong\":42",
        "{\"pong\":42}}",
        "{\"pong\":42}{\"pong\":43}",
        "{\"pong\":42} x",
        "<html></html>",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        int64_t number = -1;
        if (pong_reply_parse(bad[i], strlen(bad[i]), &number) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(number, -1);
    }
}

static void refuses_zero_bytes_after_the_object(void **state)
{
    static const char text[] = "{\"pong\":42}\0{";
    int64_t number;

    (void)state;
    assert_int_equal(pong_reply_parse(text, sizeof text, &number), -1);
    assert_int_equal(pong_reply_parse(text, strlen(text) + 1, &number), -1);
    assert_int_equal(pong_reply_parse(text, strlen(text), &number), 0);
}

/* The text has no terminator, and what follows it must not be read. */
static void stays_within_its_length(void **state)
{
    static const char text[] = "{\"pong\":4}2}";
    int64_t number;

    (void)state;
    assert_int_equal(pong_reply_parse(text, 10, &number), 0);
    assert_int_equal(number, 4);
    assert_int_equal(pong_reply_parse(text, 9, &number), -1);
    assert_int_equal(pong_reply_parse(text, 0, &number), -1);
}

static void takes_as_many_numbers_as_were_asked_for(void **state)
{
    static const struct {
        const char *text;
        int64_t count, first;
    } cases[] = {
        {"{\"first\":1,\"last\":3}", 3, 1},
        {"{ \"last\" : 7, \"first\" : 7 }\n", 1, 7},
        {"{\"first\":9223372036854771712,\"last\":9223372036854775807}", 4096, INT64_MAX - 4095},
        {"{\"first\":1,\"last\":3}", 2, -1},
        {"{\"first\":1,\"last\":3}", 4, -1},
        {"{\"first\":3,\"last\":1}", 3, -1},
        {"{\"first\":0,\"last\":9223372036854775807}", 1, -1},
        {"{\"first\":9223372036854775807,\"last\":9223372036854775808}", 2, -1},
        {"{\"first\":-1,\"last\":1}", 3, -1},
        {"{\"first\":1}", 1, -1},
        {"{\"first\":1,\"first\":1}", 1, -1},
        {"{\"first\":1,\"last\":1,\"more\":1}", 1, -1},
        {"{\"pong\":1}", 1, -1},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *text = cases[i].text;
        int64_t first = -1;
        int result = pong_reply_parse_several(text, strlen(text), cases[i].count, &first);
        if (result != (cases[i].first < 0 ? -1 : 0) || first != cases[i].first)
            FAIL_CASE("%s for %d: %d", text, (int)cases[i].count, result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_number),
        cmocka_unit_test(refuses_anything_else),
        cmocka_unit_test(refuses_zero_bytes_after_the_object),
        cmocka_unit_test(stays_within_its_length),
        cmocka_unit_test(takes_as_many_numbers_as_were_asked_for),
    };
    return cmocka_run_group_tests_name("pong_reply", tests, NULL, NULL);
}
