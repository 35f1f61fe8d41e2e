#include "host_list.h"

#include "unit.h"

#include <errno.h>

static void each_host_gets_its_port(void **state)
{
    struct host_list list;
    (void)state;

    assert_int_equal(host_list_parse(&list, "db,::1,/run/postgresql", "1,65535,5432"), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.hosts[0].name, "db");
    assert_string_equal(list.hosts[0].port, "1");
    assert_string_equal(list.hosts[1].name, "::1");
    assert_string_equal(list.hosts[1].port, "65535");
    assert_string_equal(list.hosts[2].name, "/run/postgresql");
    assert_string_equal(list.hosts[2].port, "5432");
    assert_false(host_is_directory(&list.hosts[0]));
    assert_true(host_is_directory(&list.hosts[2]));
    host_list_free(&list);
}

static void one_port_is_for_all(void **state)
{
    struct host_list list;
    (void)state;

    assert_int_equal(host_list_parse(&list, "a,b", "5433"), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.hosts[0].port, "5433");
    assert_string_equal(list.hosts[1].port, "5433");
    host_list_free(&list);
}

static void other_numbers_of_ports_are_refused(void **state)
{
    struct host_list list;
    (void)state;

    assert_int_equal(host_list_parse(&list, "a,b,c", "1,2"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(host_list_parse(&list, "a", "1,2"), -1);
    assert_int_equal(errno, EINVAL);
    host_list_free(&list);
}

static void every_item_has_to_be_one(void **state)
{
    static const char *const hosts[] = {"", ",", "a,", ",a", "a,,b", "a b", "a, b", "a\n"};
    static const char *const ports[] = {"",  ",",   "1,", ",1", "0",  "65536", "1, 2",
                                        "x", "1,x", "-1", "+1", " 1", "1x",    "123456"};
    (void)state;

    for (size_t i = 0; i < LENGTH(hosts); i++)
        assert_false(host_list_accepts_hosts(hosts[i]));
    for (size_t i = 0; i < LENGTH(ports); i++)
        assert_false(host_list_accepts_ports(ports[i]));
    assert_true(host_list_accepts_hosts("a,b"));
    assert_true(host_list_accepts_ports("1,65535"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_host_gets_its_port),
        cmocka_unit_test(one_port_is_for_all),
        cmocka_unit_test(other_numbers_of_ports_are_refused),
        cmocka_unit_test(every_item_has_to_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
