#include "password.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/test-password-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    return close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void the_files_first_line_counts(void **state)
{
    static const struct {
        const char *text, *password;
        enum password_end end;
    } cases[] = {
        {"secret", "secret", PASSWORD_ENDS_PLAINLY},
        {"secret\n", "secret", PASSWORD_ENDS_IN_BREAK},
        {"secret\r\n", "secret", PASSWORD_ENDS_IN_BREAK},
        {"secret\nmore", "secret", PASSWORD_ENDS_IN_LINES},
        {" with spaces ", " with spaces ", PASSWORD_ENDS_PLAINLY},
        {"", "", PASSWORD_ENDS_PLAINLY},
        {"\nsecret", "", PASSWORD_ENDS_IN_LINES},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", PASSWORD_ENDS_PLAINLY},
        {"secret\n\n", "secret", PASSWORD_ENDS_IN_LINES},
    };
    char password[PASSWORD_SIZE];
    enum password_end end;

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        write_file(cases[i].text, strlen(cases[i].text));
        assert_int_equal(password_read("another", path, password, &end), 0);
        assert_int_equal(end, cases[i].end);
        assert_string_equal(password, cases[i].password);
    }
}

static void without_a_file_the_value_counts(void **state)
{
    char password[PASSWORD_SIZE];
    enum password_end end;

    (void)state;
    assert_int_equal(password_read("value", NULL, password, NULL), 0);
    assert_string_equal(password, "value");
    assert_int_equal(password_read("value", NULL, password, &end), 0);
    assert_int_equal(end, PASSWORD_ENDS_PLAINLY);
    assert_int_equal(password_read("value\n", NULL, password, &end), 0);
    assert_int_equal(end, PASSWORD_ENDS_IN_BREAK);
    assert_string_equal(password, "value\n");
    assert_int_equal(password_read(NULL, NULL, password, NULL), 0);
    assert_string_equal(password, "");
}

static void what_cannot_be_read_is_an_error(void **state)
{
    char password[PASSWORD_SIZE];

    (void)state;
    assert_int_equal(password_read("value", "/nonexistent/password", password, NULL), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(password_read("value", "/tmp", password, NULL), -1);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(password_read("value", "/dev/zero", password, NULL), -1);
    assert_int_equal(errno, EINVAL);
}

/* The alarm ends a test that waits. */
static void a_fifo_is_not_waited_for(void **state)
{
    char fifo[64], password[PASSWORD_SIZE];

    (void)state;
    snprintf(fifo, sizeof fifo, "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    alarm(10);
    assert_int_equal(password_read(NULL, fifo, password, NULL), -1);
    assert_int_equal(errno, EINVAL);
    int writer = open(fifo, O_RDWR | O_NONBLOCK);
    assert_int_equal(password_read(NULL, fifo, password, NULL), -1);
    assert_int_equal(errno, EINVAL);
    alarm(0);
    close(writer);
    unlink(fifo);
}

static void what_is_too_long_is_an_error(void **state)
{
    static char text[PASSWORD_SIZE + 1];
    char password[PASSWORD_SIZE];

    (void)state;
    memset(text, 'x', PASSWORD_SIZE);
    assert_int_equal(password_read(text, NULL, password, NULL), -1);
    assert_int_equal(errno, EFBIG);
    write_file(text, PASSWORD_SIZE);
    assert_int_equal(password_read(NULL, path, password, NULL), -1);
    assert_int_equal(errno, EFBIG);
    text[PASSWORD_SIZE - 1] = '\0';
    assert_int_equal(password_read(text, NULL, password, NULL), 0);
    write_file(text, PASSWORD_SIZE - 1);
    assert_int_equal(password_read(NULL, path, password, NULL), 0);
    assert_int_equal(strlen(password), PASSWORD_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_files_first_line_counts),
        cmocka_unit_test(without_a_file_the_value_counts),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
        cmocka_unit_test(a_fifo_is_not_waited_for),
        cmocka_unit_test(what_is_too_long_is_an_error),
    };
    return cmocka_run_group_tests_name("password", tests, make_file, remove_file);
}
