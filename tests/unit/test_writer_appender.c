#include "shared_file.h"
#include "writer/appender.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define T1 "2025-07-21T10:30:00.123Z"
#define T2 "2025-07-21T10:30:05.123Z"
#define LIMIT 256

/* A directory of its own for each test. */
struct place {
    char directory[32];
    char path[64];
    char beside[64];
    struct appender *appender;
    char content[4096];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    snprintf(place->directory, sizeof place->directory, "/tmp/appender.XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/file", place->directory);
    snprintf(place->beside, sizeof place->beside, "%s/file.new", place->directory);
    place->appender = appender_create(place->path, LIMIT);
    assert_non_null(place->appender);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    appender_destroy(place->appender);
    unlink(place->path);
    unlink(place->beside);
    rmdir(place->directory);
    free(place);
    return 0;
}

static const char *content(struct place *place)
{
    FILE *file = fopen(place->path, "r");
    assert_non_null(file);
    size_t length = fread(place->content, 1, sizeof place->content - 1, file);
    fclose(file);
    place->content[length] = '\0';
    return place->content;
}

static void put(const struct place *place, const char *text)
{
    FILE *file = fopen(place->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void makes_the_file_and_appends(void **state)
{
    struct place *place = *state;
    struct stat status;

    umask(022);
    assert_int_equal(appender_append(place->appender, T1), 0);
    assert_string_equal(content(place), T1 "\n");
    assert_int_equal(appender_append(place->appender, T2), 0);
    assert_string_equal(content(place), T1 "\n" T2 "\n");
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    assert_int_equal(access(place->beside, F_OK), -1);
}

static void takes_over_what_ends_without_newline(void **state)
{
    static const struct {
        const char *before, *after;
    } cases[] = {
        {T1, T1 "\n" T2 "\n"}, /* the original's form */
        {"", T2 "\n"},
        {"2025-07-2", T2 "\n"}, /* torn */
        {T1 "\n2025-07-21T10:30:05.123", T1 "\n" T2 "\n"},
        {T1 "\n" T1, T1 "\n" T1 "\n" T2 "\n"},
        {"someone's own words", "someone's own words\n" T2 "\n"},
        {"0123456789012345678901234567890", "0123456789012345678901234567890\n" T2 "\n"},
    };
    struct place *place = *state;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        put(place, cases[i].before);
        assert_int_equal(appender_append(place->appender, T2), 0);
        assert_string_equal(content(place), cases[i].after);
    }
}

static void stays_within_its_limit(void **state)
{
    struct place *place = *state;
    size_t smallest = LIMIT;

    for (int i = 0; i < 200; i++) {
        char line[CLOCK_TIMESTAMP_SIZE], found[CLOCK_TIMESTAMP_SIZE];
        int64_t ms;
        clock_format_timestamp(INT64_C(1753093800123) + i * 5000, line);
        assert_int_equal(appender_append(place->appender, line), 0);
        size_t length = strlen(content(place));
        assert_in_range(length, 1, LIMIT);
        assert_int_equal(length % (CLOCK_TIMESTAMP_LENGTH + 1), 0);
        if (i > 20 && length < smallest)
            smallest = length;
        assert_int_equal(shared_file_find_last(place->content, length, true, found, &ms), 0);
        assert_string_equal(found, line);
    }
    /* It is cut to a half, not to nothing. */
    assert_in_range(smallest, LIMIT / 2 - 25, LIMIT / 2);
    assert_int_equal(access(place->beside, F_OK), -1);
}

static void cuts_what_is_over_its_limit_already(void **state)
{
    struct place *place = *state;
    char text[1024];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    put(place, text);
    assert_int_equal(appender_append(place->appender, T1), 0);
    assert_string_equal(content(place), T1 "\n");

    memcpy(text + sizeof text - 1 - 50, "\n" T1 "\n" T2, 50);
    put(place, text);
    assert_int_equal(appender_append(place->appender, T2), 0);
    assert_true(strlen(content(place)) <= LIMIT);
    assert_non_null(strstr(place->content, T1 "\n" T2 "\n"));
}

static void makes_a_removed_file_anew(void **state)
{
    struct place *place = *state;

    assert_int_equal(appender_append(place->appender, T1), 0);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(appender_append(place->appender, T2), 0);
    assert_string_equal(content(place), T2 "\n");
}

static void recovers_when_the_directory_returns(void **state)
{
    struct place *place = *state;

    assert_int_equal(rmdir(place->directory), 0);
    assert_int_equal(appender_append(place->appender, T1), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkdir(place->directory, 0700), 0);
    assert_int_equal(appender_append(place->appender, T2), 0);
    assert_string_equal(content(place), T2 "\n");
}

/* A limit on the file's size cuts a write short, as a full disk does. */
static void undoes_a_write_that_was_cut_short(void **state)
{
    struct place *place = *state;
    struct rlimit before, limit;

    assert_int_equal(appender_append(place->appender, T1), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 40;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int result = appender_append(place->appender, T2), reason = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_int_equal(reason, ENOSPC);
    assert_string_equal(content(place), T1 "\n");
    assert_int_equal(appender_append(place->appender, T2), 0);
    assert_string_equal(content(place), T1 "\n" T2 "\n");
}

/* Where there is no room for the new file, the old one stays whole. */
static void keeps_the_file_if_it_cannot_be_replaced(void **state)
{
    struct place *place = *state;
    struct rlimit before, limit;
    char full[LIMIT];

    for (int i = 0; i < LIMIT / 25; i++)
        assert_int_equal(appender_append(place->appender, T1), 0);
    snprintf(full, sizeof full, "%s", content(place));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 30;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int result = appender_append(place->appender, T2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_string_equal(content(place), full);
    assert_int_equal(access(place->beside, F_OK), -1);
    assert_int_equal(appender_append(place->appender, T2), 0);
    assert_non_null(strstr(content(place), T1 "\n" T2 "\n"));
}

static void removes_what_a_killed_writer_left(void **state)
{
    struct place *place = *state;
    FILE *file = fopen(place->beside, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);

    struct appender *next = appender_create(place->path, LIMIT);
    assert_non_null(next);
    assert_int_equal(access(place->beside, F_OK), -1);
    appender_destroy(next);
}

static void refuses_what_is_not_a_file(void **state)
{
    struct place *place = *state;

    assert_int_equal(mkfifo(place->path, 0600), 0);
    assert_int_equal(appender_append(place->appender, T1), -1);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(mkdir(place->path, 0700), 0);
    assert_int_equal(appender_append(place->appender, T1), -1);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(rmdir(place->path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
        TEST(makes_the_file_and_appends),
        TEST(takes_over_what_ends_without_newline),
        TEST(stays_within_its_limit),
        TEST(cuts_what_is_over_its_limit_already),
        TEST(makes_a_removed_file_anew),
        TEST(recovers_when_the_directory_returns),
        TEST(undoes_a_write_that_was_cut_short),
        TEST(keeps_the_file_if_it_cannot_be_replaced),
        TEST(removes_what_a_killed_writer_left),
        TEST(refuses_what_is_not_a_file),
#undef TEST
    };
    return cmocka_run_group_tests_name("appender", tests, NULL, NULL);
}
