#include "reader/page/lines.h"

#include "reader/page/timestamp_hash.h"
#include "unit.h"

#include <errno.h>

#define T "2025-07-21T10:30:00.123Z"
/* printf %s 2025-07-21T10:30:00.123Z | sha256sum */
#define HASH "dd5f216ae1c2e3c32189f6d7e421548a3761047b4f7f27d427c1fcd9448dd136"

static const struct shared_file fresh = {.state = SHARED_FILE_FRESH, .timestamp = T, .age_ms = 7};

static struct page_parts good_parts(void)
{
    return (struct page_parts){
        .config_path = "/config",
        .config = "this text is from file\n",
        .config_length = 23,
        .message = "hello world",
        .shared_path = "/shared",
        .shared = &fresh,
        .hash = HASH,
        .pong_result = CLIENT_OK,
        .pong = 42,
        .pong_timeout_ms = 2500,
    };
}

static char page[PAGE_LINES_SIZE + 1];

static const char *write_page(const struct page_parts *parts)
{
    size_t length = page_lines_write(parts, page);
    assert_true(length < sizeof page);
    page[length] = '\0';
    return page;
}

/* The page has four lines; the given one is `expected`. */
static void assert_line(const struct page_parts *parts, int number, const char *expected)
{
    char *line = NULL, *rest = NULL;
    int count = 0;

    write_page(parts);
    for (const char *c = page; *c != '\0'; c++)
        count += *c == '\n';
    assert_int_equal(count, 4);
    line = strtok_r(page, "\n", &rest);
    for (int i = 1; i < number; i++)
        line = strtok_r(NULL, "\n", &rest);
    assert_non_null(line);
    assert_string_equal(line, expected);
}

static void shows_the_four_lines(void **state)
{
    const struct page_parts parts = good_parts();

    (void)state;
    assert_string_equal(write_page(&parts), "file content: this text is from file\n"
                                            "env variable: MESSAGE=hello world\n" T ": " HASH "\n"
                                            "Ping / Pongs: 42\n");
    assert_int_equal(page_parts_status(&parts), 200);
}

static void hashes_the_timestamp(void **state)
{
    struct timestamp_hash hash = {0};

    (void)state;
    assert_string_equal(timestamp_hash_of(&hash, T), HASH);
    assert_string_not_equal(timestamp_hash_of(&hash, "2025-07-21T10:30:05.123Z"), HASH);
    assert_string_equal(timestamp_hash_of(&hash, T), HASH);
}

static void names_a_missing_file_or_message(void **state)
{
    struct page_parts parts = good_parts();

    (void)state;
    parts.config_error = ENOENT;
    parts.message = NULL;
    assert_line(&parts, 1,
                "file content: not available: cannot read /config: No such file or directory");
    assert_line(&parts, 2, "env variable: MESSAGE is not set");
    assert_line(&parts, 4, "Ping / Pongs: 42");
    assert_int_equal(page_parts_status(&parts), 200);
}

static void names_what_is_wrong_with_the_timestamp(void **state)
{
    struct page_parts parts = good_parts();
    struct shared_file file = fresh;

    (void)state;
    parts.shared = &file;
    file.state = SHARED_FILE_STALE;
    file.age_ms = 42999;
    assert_line(&parts, 3, T ": " HASH " (stale: 42 s old)");
    file.state = SHARED_FILE_AHEAD;
    file.age_ms = -60000;
    assert_line(&parts, 3, T ": " HASH " (not fresh: 60 s in the future)");
    file = (struct shared_file){.state = SHARED_FILE_NO_LINE};
    assert_line(&parts, 3, "timestamp: not available: /shared has no timestamp line");
    file = (struct shared_file){.state = SHARED_FILE_UNREADABLE, .error = EACCES};
    assert_line(&parts, 3, "timestamp: not available: cannot read /shared: Permission denied");
    assert_int_equal(page_parts_status(&parts), 200);
}

static void names_why_there_is_no_pong(void **state)
{
    struct page_parts parts = good_parts();
    char labels[CLIENT_RESULT_COUNT][32];

    (void)state;
    for (enum client_result i = CLIENT_OK + 1; i < CLIENT_RESULT_COUNT; i++) {
        parts.pong_result = i;
        assert_int_equal(page_parts_status(&parts), 503);
        write_page(&parts);
        const char *line = strstr(page, "\nPing / Pongs: not available: ");
        assert_non_null(line);
        assert_true(strlen(line) > strlen("\nPing / Pongs: not available: \n") + 5);
        snprintf(labels[i], sizeof labels[i], "%s", client_result_label(i));
        for (enum client_result j = CLIENT_OK + 1; j < i; j++)
            assert_string_not_equal(labels[i], labels[j]);
    }
    parts.pong_result = CLIENT_TIMED_OUT;
    parts.pong_may_be_counted = true;
    assert_line(&parts, 4,
                "Ping / Pongs: not available: pingpong did not answer within 2500 ms; "
                "this view may have been counted");
    parts.pong_may_be_counted = false;
    parts.pong_result = CLIENT_BAD_STATUS;
    parts.pong_status = 503;
    assert_line(&parts, 4,
                "Ping / Pongs: not available: pingpong answered with status 503; "
                "this view was not counted");
}

static void keeps_four_lines_of_utf8(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"a\nb\r\nc\n\n", "a b  c"},
        {"tab\there", "tab here"},
        {"\x1b[31mred\x7f.", " [31mred ."},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac "
                                                             "\xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "31mred\xc2\xa0",
         " 31mred\xc2\xa0"},
        {"\xe2\x80\xae"
         "gnp.exe\xe2\x81\xa6\xd8\x9c\xe2\x80\xa8.",
         " gnp.exe   ."},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"%s%n%d", "%s%n%d"},
    };
    struct page_parts parts = good_parts();

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char expected[128];
        parts.message = parts.config = cases[i].text;
        parts.config_length = strlen(cases[i].text);
        snprintf(expected, sizeof expected, "file content: %s", cases[i].shown);
        assert_line(&parts, 1, expected);
        snprintf(expected, sizeof expected, "env variable: MESSAGE=%s", cases[i].shown);
        assert_line(&parts, 2, expected);
    }
    parts.config = "a\0b";
    parts.config_length = 3;
    assert_line(&parts, 1, "file content: a b");
    parts.config_length = 0;
    assert_line(&parts, 1, "file content: ");
}

static void cuts_long_texts(void **state)
{
    static char text[3 * PAGE_TEXT_MAX_BYTES + 1], expected[sizeof text + 64];
    struct page_parts parts = good_parts();

    (void)state;
    memset(text, 'x', sizeof text - 1);
    parts.message = text;
    snprintf(expected, sizeof expected, "env variable: MESSAGE=%.*s (cut)", PAGE_TEXT_MAX_BYTES,
             text);
    assert_line(&parts, 2, expected);

    /* Not within a character: the euro sign's last byte is over the limit. */
    memcpy(text + PAGE_TEXT_MAX_BYTES - 2, "\xe2\x82\xac", 3);
    snprintf(expected, sizeof expected, "env variable: MESSAGE=%.*s (cut)", PAGE_TEXT_MAX_BYTES - 2,
             text);
    assert_line(&parts, 2, expected);

    /* The worst that fits: each byte becomes three. */
    memset(text, 0xff, sizeof text - 1);
    parts.config = text;
    parts.config_length = sizeof text - 1;
    assert_true(page_lines_write(&parts, page) > 6 * (size_t)PAGE_TEXT_MAX_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_the_four_lines),
        cmocka_unit_test(hashes_the_timestamp),
        cmocka_unit_test(names_a_missing_file_or_message),
        cmocka_unit_test(names_what_is_wrong_with_the_timestamp),
        cmocka_unit_test(names_why_there_is_no_pong),
        cmocka_unit_test(keeps_four_lines_of_utf8),
        cmocka_unit_test(cuts_long_texts),
    };
    return cmocka_run_group_tests_name("page_lines", tests, NULL, NULL);
}
