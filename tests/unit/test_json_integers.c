#include "json_integers.h"

#include "unit.h"

static const char *const names[] = {"first", "last"};

/* Copied to the end of a block of its own, so that a sanitizer sees what is read beyond. */
static int parse(const char *text, size_t length, int64_t values[2])
{
    char *exact = malloc(length == 0 ? 1 : length);

    if (exact == NULL)
        abort();
    memcpy(exact, text, length);
    int result = json_integers_parse(exact, length, names, 2, values);
    free(exact);
    return result;
}

static void takes_each_name_once_in_any_order(void **state)
{
    static const struct {
        const char *text;
        int64_t first, last;
    } good[] = {
        {"{\"first\":1,\"last\":2}", 1, 2},
        {"{\"last\":2,\"first\":1}", 1, 2},
        {" \t{\r\n \"first\" : 0 ,\t\"last\" :\n10 } \r\n", 0, 10},
        {"{\"first\":9007199254740993,\"last\":9223372036854775807}", 9007199254740993, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        int64_t values[2] = {-1, -1};
        if (parse(good[i].text, strlen(good[i].text), values) != 0 || values[0] != good[i].first ||
            values[1] != good[i].last)
            FAIL_CASE("%s", good[i].text);
    }
}

static void refuses_what_is_not_exactly_that(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "{\"first\":1}",
        "{\"first\":1,\"first\":2}",
        "{\"first\":1,\"last\":2,}",
        "{\"first\":1,\"last\":2,\"more\":3}",
        "{\"first\":1,\"last\":2} x",
        "{\"first\":1 \"last\":2}",
        "{\"first\":1;\"last\":2}",
        "{\"first\" 1,\"last\":2}",
        "{first:1,last:2}",
        "{\"First\":1,\"last\":2}",
        "{\"firs\":1,\"last\":2}",
        "{\"first\":-1,\"last\":2}",
        "{\"first\":+1,\"last\":2}",
        "{\"first\":01,\"last\":2}",
        "{\"first\":1.0,\"last\":2}",
        "{\"first\":1e3,\"last\":2}",
        "{\"first\":0x1,\"last\":2}",
        "{\"first\":\"1\",\"last\":2}",
        "{\"first\":,\"last\":2}",
        "{\"first\":1,\"last\":9223372036854775808}",
        "{\"first\":1,\"last\":99999999999999999999999999}",
        "[\"first\",1,\"last\",2]",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        int64_t values[2];
        if (parse(bad[i], strlen(bad[i]), values) == 0)
            FAIL_CASE("accepted: %s", bad[i]);
    }
}

static void refuses_every_beginning_of_a_good_text(void **state)
{
    static const char text[] = "{\"first\":12,\"last\":34}";
    int64_t values[2];

    (void)state;
    for (size_t length = 0; length < strlen(text); length++)
        assert_int_equal(parse(text, length, values), -1);
    assert_int_equal(parse(text, strlen(text), values), 0);
    assert_int_equal(parse(text, sizeof text, values), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_each_name_once_in_any_order),
        cmocka_unit_test(refuses_what_is_not_exactly_that),
        cmocka_unit_test(refuses_every_beginning_of_a_good_text),
    };
    return cmocka_run_group_tests_name("json_integers", tests, NULL, NULL);
}
