/* Hosts whose names need no lookup; tests/blackbox/test_database_hosts.py has the others. */
#include "servers.h"

#include "unit.h"

static struct event_loop *loop;
static struct servers *servers;

static void on_name(void *context)
{
    (void)context;
}

static int set_up(void **state)
{
    (void)state;
    return event_loop_create(&loop) == 0 &&
                   servers_create(&servers, loop, "/a,/b,/c", "1,2,3", on_name, NULL) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    servers_destroy(servers);
    event_loop_destroy(loop);
    return 0;
}

static void expect_next(const char *host, const char *port)
{
    struct server server;

    assert_int_equal(servers_next(servers, &server), SERVERS_FOUND);
    assert_string_equal(server.host, host);
    assert_string_equal(server.port, port);
    assert_null(server.address);
}

static void a_round_goes_through_all_and_then_begins_anew(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        expect_next("/a", "1");
        assert_true(servers_has_more(servers));
        expect_next("/b", "2");
        expect_next("/c", "3");
        assert_false(servers_has_more(servers));
    }
}

static void what_works_comes_first_again(void **state)
{
    (void)state;
    expect_next("/a", "1");
    expect_next("/b", "2");
    servers_prefer(servers);
    expect_next("/b", "2");
    expect_next("/c", "3");
    assert_true(servers_has_more(servers));
    expect_next("/a", "1");
    assert_false(servers_has_more(servers));
}

static void what_hung_comes_last(void **state)
{
    (void)state;
    expect_next("/a", "1");
    expect_next("/b", "2");
    servers_prefer(servers);
    servers_avoid(servers);
    expect_next("/c", "3");
    expect_next("/a", "1");
    assert_true(servers_has_more(servers));
    expect_next("/b", "2");
    assert_false(servers_has_more(servers));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_round_goes_through_all_and_then_begins_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_works_comes_first_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_hung_comes_last, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
