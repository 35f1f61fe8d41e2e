#include "memory_limit.h"

#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-memory-limit-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Makes the folders on the way to it too. */
static void write_file(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int64_t limit_of(const char *membership)
{
    char path[256];

    write_file("membership", membership);
    snprintf(path, sizeof path, "%s/membership", folder);
    return memory_limit_read(path, folder);
}

/* What systemd and container runtimes make. The limits are the text of each file. */
static void the_least_limit_on_the_way_up_counts(void **state)
{
    static const struct {
        const char *membership;
        int64_t limit;
    } cases[] = {
        {"0::/\n", INT64_MAX},
        {"0::/free\n", INT64_MAX},
        {"0::/pod\n", 64000000},
        {"0::/pod/container\n", 32000000},
        {"0::/pod/unlimited\n", 64000000},
        {"0::/pod/nonsense\n", 64000000},
        {"0::/not/there\n", INT64_MAX},
        {"0::/pod/container", 32000000},
        {"0::/pod/with:colon\n", 8000000},
        {"9:name=systemd:/\n4:memory:/old\n0::/\n", 16000000},
        {"3:cpu,memory:/old\n", 16000000},
        {"3:memory,cpu:/old\n", 16000000},
        {"3:memorysticks:/old\n3:notmemory:/old\n", INT64_MAX},
        {"4:memory:/old/unlimited\n0::/pod\n", 16000000},
        {"4:memory:/not/there\n", 9223372036854771712},
        {"4:memory\n\n::\n:\n", INT64_MAX},
        {"", INT64_MAX},
    };

    (void)state;
    write_file("free/memory.max", "max\n");
    write_file("pod/memory.max", "64000000\n");
    write_file("pod/container/memory.max", "32000000\n");
    write_file("pod/unlimited/memory.max", "max\n");
    write_file("pod/nonsense/memory.max", "\n");
    write_file("pod/with:colon/memory.max", "8000000\n");
    write_file("memory/memory.limit_in_bytes", "9223372036854771712\n");
    write_file("memory/old/memory.limit_in_bytes", "16000000\n");
    write_file("memory/old/unlimited/memory.limit_in_bytes", "9223372036854771712\n");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int64_t limit = limit_of(cases[i].membership);
        if (limit != cases[i].limit)
            FAIL_CASE("%s: %lld", cases[i].membership, (long long)limit);
    }
}

/* In a container the path may be the host's, and the folder the container's own group. */
static void the_folder_itself_is_a_group_too(void **state)
{
    (void)state;
    write_file("memory.max", "48000000\n");
    assert_int_equal(limit_of("0::/kubepods/pod1/abc\n"), 48000000);
    assert_int_equal(limit_of("0::/\n"), 48000000);
}

static void without_groups_there_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(memory_limit_read("/nonexistent", "/nonexistent"), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_limit_on_the_way_up_counts),
        cmocka_unit_test(the_folder_itself_is_a_group_too),
        cmocka_unit_test(without_groups_there_is_no_limit),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
