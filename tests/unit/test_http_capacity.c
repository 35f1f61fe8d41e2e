#include "http/capacity.h"

#include "unit.h"

#include <sys/resource.h>

static const struct http_server_options options = {
    .connections_max = 4096, .connection_bytes = 8192, .outgoing_max = 100};

static void files_for_connections_and_back(void **state)
{
    (void)state;
    for (int64_t count = 0; count < 5000; count += 7)
        assert_int_equal(http_capacity_of_files(&options, http_capacity_files_for(&options, count)),
                         count);
    assert_true(http_capacity_files_for(&options, 10) > 110);
    assert_true(http_capacity_of_files(&options, 16) < HTTP_CAPACITY_MIN);
}

static void connections_never_take_all_memory(void **state)
{
    (void)state;
    for (int64_t limit = 0; limit < 1000000000; limit += 9999991) {
        int64_t count = http_capacity_of_memory(&options, limit);
        assert_true(count * (int64_t)options.connection_bytes <= limit / 4 * 3);
    }
    assert_true(http_capacity_of_memory(&options, INT64_MAX) > 1000000000);
    /* The default fits into what the manifests give. */
    assert_true(http_capacity_of_memory(&options, 128 << 20) >= 4096);
}

/* The limits of this process are put back. */
static void the_limit_of_files_is_raised_as_far_as_it_may(void **state)
{
    struct rlimit before, now;
    unsigned connections = 0;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    const struct http_server_options few = {.connections_max = 20, .connection_bytes = 4096};
    assert_int_equal(http_capacity_fit(&few, &connections), 0);
    assert_int_equal(connections, 20);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, http_capacity_files_for(&few, 20));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_for_connections_and_back),
        cmocka_unit_test(connections_never_take_all_memory),
        cmocka_unit_test(the_limit_of_files_is_raised_as_far_as_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
