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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_number),
        cmocka_unit_test(refuses_anything_else),
        cmocka_unit_test(refuses_zero_bytes_after_the_object),
        cmocka_unit_test(stays_within_its_length),
    };
    return cmocka_run_group_tests_name("pong_reply", tests, NULL, NULL);
}
