#include "settings.h"

#include "capture.h"
#include "log.h"
#include "unit.h"

struct values {
    const char *name, *optional;
    int64_t number, negative;
    bool flag;
    double share;
    int level;
};

static const struct setting table[] = {
    {.name = "T_NAME",
     .type = SETTING_STRING,
     .offset = offsetof(struct values, name),
     .default_value = "somewhere",
     .help = "a name"},
    {.name = "T_OPTIONAL",
     .type = SETTING_STRING,
     .offset = offsetof(struct values, optional),
     .help = "a text without default"},
    {.name = "T_NUMBER",
     .type = SETTING_INTEGER,
     .offset = offsetof(struct values, number),
     .default_value = "3001",
     .minimum = 1,
     .maximum = 65535,
     .help = "a port"},
    {.name = "T_NEGATIVE",
     .type = SETTING_INTEGER,
     .offset = offsetof(struct values, negative),
     .default_value = "-5",
     .minimum = INT64_MIN,
     .maximum = INT64_MAX,
     .help = "anything"},
    {.name = "T_FLAG",
     .type = SETTING_BOOLEAN,
     .offset = offsetof(struct values, flag),
     .default_value = "false",
     .help = "a switch"},
    {.name = "T_SHARE",
     .type = SETTING_SHARE,
     .offset = offsetof(struct values, share),
     .default_value = "0.5",
     .help = "a part of something"},
    {.name = "T_LEVEL",
     .type = SETTING_CHOICE,
     .offset = offsetof(struct values, level),
     .default_value = "info",
     .choices = "debug info warning",
     .help = "how much"},
};

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(table); i++)
        unsetenv(table[i].name);
    return 0;
}

static void unset_and_empty_take_the_default(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        struct values values;
        memset(&values, 0x55, sizeof values);
        for (size_t i = 0; empty && i < LENGTH(table); i++)
            setenv(table[i].name, "", 1);
        assert_int_equal(settings_load(table, LENGTH(table), &values), 0);
        assert_string_equal(values.name, "somewhere");
        assert_null(values.optional);
        assert_int_equal(values.number, 3001);
        assert_int_equal(values.negative, -5);
        assert_false(values.flag);
        assert_float_equal(values.share, 0.5, 0);
        assert_int_equal(values.level, 1);
    }
}

static void good_values_are_taken(void **state)
{
    struct values values;

    (void)state;
    setenv("T_NAME", " with spaces \xff", 1);
    setenv("T_OPTIONAL", "there", 1);
    setenv("T_NUMBER", "65535", 1);
    setenv("T_NEGATIVE", "-9223372036854775808", 1);
    setenv("T_FLAG", "true", 1);
    setenv("T_LEVEL", "warning", 1);
    assert_int_equal(settings_load(table, LENGTH(table), &values), 0);
    assert_string_equal(values.name, " with spaces \xff");
    assert_string_equal(values.optional, "there");
    assert_int_equal(values.number, 65535);
    assert_true(values.negative == INT64_MIN);
    assert_true(values.flag);
    assert_int_equal(values.level, 2);
}

static void shares_are_decimal(void **state)
{
    static const struct {
        const char *text;
        double share;
    } good[] = {{"0", 0}, {"1", 1}, {"0.25", 0.25}, {".5", 0.5}, {"1.0", 1}, {"0.", 0}};

    for (size_t i = 0; i < LENGTH(good); i++) {
        struct values values;
        clear(state);
        setenv("T_SHARE", good[i].text, 1);
        assert_int_equal(settings_load(table, LENGTH(table), &values), 0);
        assert_float_equal(values.share, good[i].share, 0);
    }
}

static void bad_values_are_refused_by_name(void **state)
{
    static const struct {
        const char *name, *value, *accepted;
    } bad[] = {
        {"T_NUMBER", "0", "a whole number from 1 to 65535"},
        {"T_NUMBER", "65536", "a whole number from 1 to 65535"},
        {"T_NUMBER", "-1", "a whole number from 1 to 65535"},
        {"T_NUMBER", "+1", "a whole number from 1 to 65535"},
        {"T_NUMBER", " 1", "a whole number from 1 to 65535"},
        {"T_NUMBER", "1 ", "a whole number from 1 to 65535"},
        {"T_NUMBER", "1x", "a whole number from 1 to 65535"},
        {"T_NUMBER", "0x10", "a whole number from 1 to 65535"},
        {"T_NUMBER", "1e3", "a whole number from 1 to 65535"},
        {"T_NUMBER", "1.0", "a whole number from 1 to 65535"},
        {"T_NUMBER", "-", "a whole number from 1 to 65535"},
        {"T_NUMBER", "ten", "a whole number from 1 to 65535"},
        {"T_NUMBER", "tcp://10.0.0.1:3001", "a whole number from 1 to 65535"},
        {"T_NEGATIVE", "9223372036854775808", "a whole number from -9223372036854775808"},
        {"T_NEGATIVE", "-9223372036854775809", "a whole number from -9223372036854775808"},
        {"T_NEGATIVE", "99999999999999999999999999", "a whole number from -9223372036854775808"},
        {"T_FLAG", "yes", "true or false"},
        {"T_FLAG", "True", "true or false"},
        {"T_FLAG", "1", "true or false"},
        {"T_FLAG", "false ", "true or false"},
        {"T_SHARE", "1.01", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", "-0.1", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", "20%", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", "1e-1", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", "0x0", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", "nan", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", ".", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", "0.2.5", "a number from 0 to 1, such as 0.25"},
        {"T_SHARE", "0,5", "a number from 0 to 1, such as 0.25"},
        {"T_LEVEL", "verbose", "one of: debug info warning"},
        {"T_LEVEL", "inf", "one of: debug info warning"},
        {"T_LEVEL", "debug info", "one of: debug info warning"},
        {"T_LEVEL", " ", "one of: debug info warning"},
        {"T_LEVEL", "INFO", "one of: debug info warning"},
    };

    for (size_t i = 0; i < LENGTH(bad); i++) {
        struct values values;
        clear(state);
        setenv(bad[i].name, bad[i].value, 1);
        capture_begin();
        int result = settings_load(table, LENGTH(table), &values);
        char *text = capture_end();
        if (result != -1 || strstr(text, bad[i].name) == NULL ||
            strstr(text, bad[i].value) == NULL || strstr(text, bad[i].accepted) == NULL)
            FAIL_CASE("%s=%s gave %d and: %s", bad[i].name, bad[i].value, result, text);
        free(text);
    }
}

static void every_bad_value_is_named_at_once(void **state)
{
    struct values values;

    (void)state;
    setenv("T_NUMBER", "none", 1);
    setenv("T_FLAG", "maybe", 1);
    capture_begin();
    assert_int_equal(settings_load(table, LENGTH(table), &values), -1);
    char *text = capture_end();
    assert_non_null(strstr(text, "T_NUMBER"));
    assert_non_null(strstr(text, "T_FLAG"));
    free(text);
}

static void a_number_without_default_is_required(void **state)
{
    static const struct setting required = {
        .name = "T_NUMBER", .type = SETTING_INTEGER, .minimum = 0, .maximum = 9};
    int64_t value;

    (void)state;
    capture_begin();
    assert_int_equal(settings_load(&required, 1, &value), -1);
    char *text = capture_end();
    assert_non_null(strstr(text, "T_NUMBER"));
    free(text);
}

static void the_table_prints_every_row(void **state)
{
    char *text = NULL;
    size_t size;

    (void)state;
    FILE *out = open_memstream(&text, &size);
    settings_print(table, LENGTH(table), out);
    fclose(out);
    for (size_t i = 0; i < LENGTH(table); i++) {
        assert_non_null(strstr(text, table[i].name));
        assert_non_null(strstr(text, table[i].help));
        if (table[i].default_value != NULL)
            assert_non_null(strstr(text, table[i].default_value));
    }
    assert_non_null(strstr(text, "a whole number from 1 to 65535"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unset_and_empty_take_the_default, clear),
        cmocka_unit_test_setup(good_values_are_taken, clear),
        cmocka_unit_test_setup(shares_are_decimal, clear),
        cmocka_unit_test_setup(bad_values_are_refused_by_name, clear),
        cmocka_unit_test_setup(every_bad_value_is_named_at_once, clear),
        cmocka_unit_test_setup(a_number_without_default_is_required, clear),
        cmocka_unit_test_setup(the_table_prints_every_row, clear),
    };
    log_init("test");
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
