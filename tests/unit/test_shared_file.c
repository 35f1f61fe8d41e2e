#include "shared_file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define T1 "2025-07-21T10:30:00.123Z"
#define T2 "2025-07-21T10:30:05.123Z"
#define T1_MS INT64_C(1753093800123)
#define T2_MS INT64_C(1753093805123)

static void finds_the_last_complete_line(void **state)
{
    static const struct {
        const char *text;
        bool whole;
        const char *found; /* NULL: nothing */
    } cases[] = {
        {T1 "\n", true, T1},
        {T1 "\n" T2 "\n", true, T2},
        {T1 "\n" T2 "\n", false, T2},
        /* the original's form, and only that, needs no newline */
        {T1, true, T1},
        {T1, false, NULL},
        {T1 " ", true, NULL},
        {"", true, NULL},
        {"\n", true, NULL},
        /* a line that is being written, or was torn */
        {T1 "\n2025-07-21T10:", true, T1},
        {T1 "\n" T2, true, T1},
        {"2025-07-21T10:", true, NULL},
        /* what stands between is passed over */
        {T1 "\nnonsense\n\n" T2 " \n", true, T1},
        {T1 "\r\n", true, NULL},
        {"x" T1 "\n", true, NULL},
        {T1 "\n2025-02-30T10:30:05.123Z\n", true, T1},
        /* the first line of a tail has lost its beginning, perhaps */
        {T1 "\n", false, NULL},
        {"\n" T1 "\n", false, T1},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char found[CLOCK_TIMESTAMP_SIZE] = "";
        int64_t ms = 0;
        int result =
            shared_file_find_last(cases[i].text, strlen(cases[i].text), cases[i].whole, found, &ms);
        if ((result == 0) != (cases[i].found != NULL))
            fail_msg("case %zu: result %d", i, result);
        if (result == 0) {
            assert_string_equal(found, cases[i].found);
            assert_int_equal(ms, strcmp(found, T1) == 0 ? T1_MS : T2_MS);
        }
    }
}

static void takes_zero_bytes_as_any_other(void **state)
{
    static const char text[] = T1 "\n\0\0\0\n\0";
    char found[CLOCK_TIMESTAMP_SIZE];
    int64_t ms;

    (void)state;
    assert_int_equal(shared_file_find_last(text, sizeof text, true, found, &ms), 0);
    assert_string_equal(found, T1);
}

/* A file in a directory of its own, made for one test. */
struct place {
    char directory[32];
    char path[64];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    snprintf(place->directory, sizeof place->directory, "/tmp/shared-file.XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/file", place->directory);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    rmdir(place->directory);
    free(place);
    return 0;
}

static void put(const struct place *place, const char *text, size_t length)
{
    FILE *file = fopen(place->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static enum shared_file_state judge(const struct place *place, int64_t now_ms,
                                    struct shared_file *file)
{
    shared_file_read(place->path, now_ms, 15000, file);
    return file->state;
}

static void judges_the_age(void **state)
{
    const struct place *place = *state;
    struct shared_file file;
    char words[128];

    put(place, T1 "\n", sizeof T1);
    assert_int_equal(judge(place, T1_MS, &file), SHARED_FILE_FRESH);
    assert_int_equal(file.age_ms, 0);
    assert_string_equal(file.timestamp, T1);
    assert_int_equal(judge(place, T1_MS + 15000, &file), SHARED_FILE_FRESH);
    assert_int_equal(judge(place, T1_MS + 15001, &file), SHARED_FILE_STALE);
    assert_int_equal(judge(place, T1_MS - 15000, &file), SHARED_FILE_FRESH);
    assert_int_equal(judge(place, T1_MS - 15001, &file), SHARED_FILE_AHEAD);
    shared_file_describe(&file, place->path, words, sizeof words);
    assert_string_equal(words, "not fresh: 15 s in the future");
    assert_int_equal(judge(place, T1_MS + 42000, &file), SHARED_FILE_STALE);
    shared_file_describe(&file, place->path, words, sizeof words);
    assert_string_equal(words, "stale: 42 s old");
    assert_string_equal(file.timestamp, T1);
}

static void says_what_cannot_be_read(void **state)
{
    const struct place *place = *state;
    struct shared_file file;
    char words[256], expected[256];

    assert_int_equal(judge(place, T1_MS, &file), SHARED_FILE_UNREADABLE);
    assert_int_equal(file.error, ENOENT);
    shared_file_describe(&file, place->path, words, sizeof words);
    snprintf(expected, sizeof expected, "cannot read %s: No such file or directory", place->path);
    assert_string_equal(words, expected);

    put(place, "", 0);
    assert_int_equal(judge(place, T1_MS, &file), SHARED_FILE_NO_LINE);
    assert_string_equal(file.timestamp, "");

    shared_file_read(place->directory, T1_MS, 15000, &file);
    assert_int_equal(file.state, SHARED_FILE_UNREADABLE);
    assert_int_equal(file.error, EISDIR);
}

static void does_not_wait_for_a_fifo(void **state)
{
    const struct place *place = *state;
    struct shared_file file;

    assert_int_equal(mkfifo(place->path, 0600), 0);
    assert_int_not_equal(judge(place, T1_MS, &file), SHARED_FILE_FRESH);
}

static void looks_only_at_the_end_of_a_large_file(void **state)
{
    const struct place *place = *state;
    struct shared_file file;
    static char text[3 * SHARED_FILE_TAIL_BYTES];

    memset(text, 'x', sizeof text);
    memcpy(text + sizeof text - 26, "\n" T2 "\n", 26);
    put(place, text, sizeof text);
    assert_int_equal(judge(place, T2_MS, &file), SHARED_FILE_FRESH);
    assert_string_equal(file.timestamp, T2);

    /* Further away than the tail reaches. */
    memset(text, 'x', sizeof text);
    memcpy(text, T1 "\n", 25);
    put(place, text, sizeof text);
    assert_int_equal(judge(place, T1_MS, &file), SHARED_FILE_NO_LINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_last_complete_line),
        cmocka_unit_test(takes_zero_bytes_as_any_other),
        cmocka_unit_test_setup_teardown(judges_the_age, make_place, remove_place),
        cmocka_unit_test_setup_teardown(says_what_cannot_be_read, make_place, remove_place),
        cmocka_unit_test_setup_teardown(does_not_wait_for_a_fifo, make_place, remove_place),
        cmocka_unit_test_setup_teardown(looks_only_at_the_end_of_a_large_file, make_place,
                                        remove_place),
    };
    return cmocka_run_group_tests_name("shared_file", tests, NULL, NULL);
}
