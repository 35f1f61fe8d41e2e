#include "log.h"

#include "capture.h"
#include "clock.h"
#include "unit.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

/* Logs one line and returns it parsed, owned by the caller; fails unless it is one line of valid
 * UTF-8 that is one JSON object, within the limit. */
static cJSON *logged(void (*write)(const char *, const struct log_field *), const char *message,
                     const struct log_field *fields)
{
    static wchar_t wide[LOG_LINE_MAX_BYTES + 1];
    const char *end;

    capture_begin();
    write(message, fields);
    char *text = capture_end();
    size_t length = strlen(text);
    if (length == 0 || length > LOG_LINE_MAX_BYTES || strchr(text, '\n') != text + length - 1)
        FAIL_CASE("not one line of at most %d bytes: %s", LOG_LINE_MAX_BYTES, text);
    if (mbstowcs(wide, text, LENGTH(wide)) == (size_t)-1)
        FAIL_CASE("not UTF-8: %s", text);
    cJSON *object = cJSON_ParseWithOpts(text, &end, false);
    if (!cJSON_IsObject(object) || strcmp(end, "\n") != 0)
        FAIL_CASE("not a JSON object: %s", text);
    free(text);
    return object;
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void writes_time_level_component_message_fields(void **state)
{
    int64_t ms;

    (void)state;
    cJSON *line = logged(log_warning, "hello",
                         LOG_FIELDS(log_string("name", "value"), log_string("nothing", NULL),
                                    log_integer("low", INT64_MIN), log_integer("port", 3001)));
    const char *time = text_of(line, "time");
    assert_non_null(time);
    assert_int_equal(clock_parse_timestamp(time, strlen(time), &ms), 0);
    assert_in_range(clock_realtime_ms() - ms, 0, 60000);
    assert_string_equal(text_of(line, "level"), "warning");
    assert_string_equal(text_of(line, "component"), "test");
    assert_string_equal(text_of(line, "message"), "hello");
    assert_string_equal(text_of(line, "name"), "value");
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(line, "nothing")));
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(line, "port")->valueint, 3001);
    cJSON_Delete(line);

    line = logged(log_error, "no fields", NULL);
    assert_string_equal(text_of(line, "level"), "error");
    cJSON_Delete(line);
}

static void integers_are_written_whole(void **state)
{
    (void)state;
    capture_begin();
    log_info("", LOG_FIELDS(log_integer("low", INT64_MIN), log_integer("high", INT64_MAX)));
    char *text = capture_end();
    assert_non_null(strstr(text, "\"low\":-9223372036854775808,\"high\":9223372036854775807}\n"));
    free(text);
}

static void leaves_out_lower_levels(void **state)
{
    (void)state;
    capture_begin();
    log_debug("below the default", NULL);
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("below error", NULL);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("seen", NULL);
    log_set_level(LOG_LEVEL_INFO);
    char *text = capture_end();
    assert_null(strstr(text, "below"));
    assert_non_null(strstr(text, "\"level\":\"debug\""));
    assert_non_null(strstr(text, "seen"));
    free(text);
}

static void special_characters_come_back(void **state)
{
    static const char *const texts[] = {
        "quote \" backslash \\ slash /",
        "line\nfeed\r\ttab\b\f",
        "\x01\x1f\x7f",
        "Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x8f\x93",
        "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0 \xd8\x9c\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8",
        "%s%n%d",
        "",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        cJSON *line = logged(log_info, texts[i], LOG_FIELDS(log_string("field", texts[i])));
        assert_string_equal(text_of(line, "message"), texts[i]);
        assert_string_equal(text_of(line, "field"), texts[i]);
        cJSON_Delete(line);
    }
}

static void controls_do_not_reach_a_terminal(void **state)
{
    (void)state;
    capture_begin();
    log_info("\xc2\x9b\xd8\x9c\xe2\x80\xae\x1b\x7f", NULL);
    char *text = capture_end();
    assert_non_null(strstr(text, "\\u009b\\u061c\\u202e\\u001b\\u007f"));
    free(text);
}

static void what_is_not_utf8_is_replaced(void **state)
{
    static const char *const texts[] = {
        "\x80",         "\xff\xfe",         "\xc0\xaf",         "\xc3",
        "\xe2\x82",     "\xed\xa0\x80",     "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf0\x9f\x8f",     "\xc3\"",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        cJSON *line = logged(log_info, texts[i], NULL);
        if (strstr(text_of(line, "message"), "\xef\xbf\xbd") == NULL)
            FAIL_CASE("case %zu is not marked as replaced", i);
        cJSON_Delete(line);
    }
}

static void any_three_bytes_give_valid_lines(void **state)
{
    /* One of each kind that the encoder tells apart, and each kind's borders. */
    static const unsigned char bytes[] = {
        0x01, 0x0a, 0x1f, 0x22, 0x41, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
        0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
    };

    (void)state;
    for (int byte = 1; byte < 256; byte++)
        cJSON_Delete(logged(log_info, (char[]){(char)byte, '\0'}, NULL));
    for (size_t i = 0; i < LENGTH(bytes); i++)
        for (size_t j = 0; j < LENGTH(bytes); j++) {
            char text[4] = {(char)bytes[i], (char)bytes[j]};
            text[2] = (char)bytes[(i * 7 + j) % LENGTH(bytes)];
            cJSON_Delete(logged(log_info, text, LOG_FIELDS(log_string("field", text))));
        }
}

/* Fills lines to every length around the limit, with characters that take one to six bytes. */
static void long_lines_are_cut_and_stay_json(void **state)
{
    static const char *const fillers[] = {"x",        "\"",   "\x01",
                                          "\xc3\xbc", "\xff", "\xf0\x9f\x8f\x93"};
    static char text[2 * LOG_LINE_MAX_BYTES];

    (void)state;
    for (size_t kind = 0; kind < LENGTH(fillers); kind++) {
        size_t unit = strlen(fillers[kind]);
        for (size_t pad = 0; pad < 160; pad++) {
            size_t length = 0;
            memset(text, 'a', 3900 + pad);
            for (length = 3900 + pad; length + unit < 4200; length += unit)
                memcpy(text + length, fillers[kind], unit);
            text[length] = '\0';
            cJSON_Delete(logged(log_info, text, LOG_FIELDS(log_integer("number", 123456789))));
            text[3900 + pad] = '\0';
            cJSON_Delete(logged(log_info, text,
                                LOG_FIELDS(log_string("one", fillers[kind]),
                                           log_integer("number", 123456789),
                                           log_string("two", fillers[kind]))));
        }
    }
}

static void a_full_pipe_drops_lines_and_does_not_block(void **state)
{
    int ends[2];
    uint64_t before = log_dropped_lines();

    (void)state;
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    for (int i = 0; i < 20000; i++)
        log_info("nobody reads this", NULL);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    assert_true(log_dropped_lines() > before);

    /* What did get into the pipe are whole lines. */
    static char text[1 << 20];
    close(ends[1]);
    size_t length = 0;
    ssize_t count;
    while ((count = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)count;
    close(ends[0]);
    assert_true(length > 0 && text[length - 1] == '\n');
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        cJSON *object = cJSON_Parse(line);
        assert_true(cJSON_IsObject(object));
        cJSON_Delete(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_time_level_component_message_fields),
        cmocka_unit_test(integers_are_written_whole),
        cmocka_unit_test(leaves_out_lower_levels),
        cmocka_unit_test(special_characters_come_back),
        cmocka_unit_test(controls_do_not_reach_a_terminal),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(any_three_bytes_give_valid_lines),
        cmocka_unit_test(long_lines_are_cut_and_stay_json),
        cmocka_unit_test(a_full_pipe_drops_lines_and_does_not_block),
    };
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        return 1;
    log_init("test");
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
