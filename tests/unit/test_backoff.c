#include "backoff.h"

#include "identity.h"
#include "unit.h"

static void pauses_double_to_about_a_second(void **state)
{
    static const int64_t longest_ms[] = {50, 100, 200, 400, 800, 1000, 1000, 1000};

    (void)state;
    for (int turn = 0; turn < 200; turn++) {
        struct backoff backoff = {0};
        for (size_t i = 0; i < LENGTH(longest_ms); i++)
            assert_in_range(backoff_next_ms(&backoff), longest_ms[i] / 2, longest_ms[i]);
    }
}

static void pauses_differ_by_chance(void **state)
{
    bool seen[BACKOFF_LONGEST_MS + 1] = {false};
    struct backoff backoff = {.longest_ms = BACKOFF_LONGEST_MS};
    int different = 0;

    (void)state;
    for (int turn = 0; turn < 1000; turn++)
        seen[backoff_next_ms(&backoff)] = true;
    for (size_t i = 0; i < LENGTH(seen); i++)
        different += seen[i];
    assert_true(different > 200);
}

static void a_success_makes_the_next_pause_short(void **state)
{
    struct backoff backoff = {.longest_ms = BACKOFF_LONGEST_MS};

    (void)state;
    backoff_reset(&backoff);
    assert_in_range(backoff_next_ms(&backoff), BACKOFF_FIRST_MS / 2, BACKOFF_FIRST_MS);
}

static void random_numbers_stay_below_their_limit(void **state)
{
    int counts[3] = {0};

    (void)state;
    assert_int_equal(identity_random_below(1), 0);
    for (int i = 0; i < 3000; i++) {
        int64_t number = identity_random_below(3);
        assert_in_range(number, 0, 2);
        counts[number]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 700, 1300);
}

static void keys_are_positive_leave_room_and_differ(void **state)
{
    int64_t last = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t key = identity_new_key();
        assert_true(key >= 1 && key <= INT64_C(1) << 62);
        assert_true(key != last);
        last = key;
    }
}

static void uuids_have_their_form_and_differ(void **state)
{
    static const char form[] = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
    char last[IDENTITY_UUID_SIZE] = "", uuid[IDENTITY_UUID_SIZE];

    (void)state;
    for (int turn = 0; turn < 100; turn++) {
        identity_new_uuid(uuid);
        assert_int_equal(strlen(uuid), sizeof form - 1);
        for (size_t i = 0; i < sizeof form - 1; i++) {
            const char *allowed = form[i] == 'x'   ? "0123456789abcdef"
                                  : form[i] == 'v' ? "89ab"
                                  : form[i] == '4' ? "4"
                                                   : "-";
            assert_non_null(strchr(allowed, uuid[i]));
        }
        assert_string_not_equal(uuid, last);
        strcpy(last, uuid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_to_about_a_second),
        cmocka_unit_test(pauses_differ_by_chance),
        cmocka_unit_test(a_success_makes_the_next_pause_short),
        cmocka_unit_test(random_numbers_stay_below_their_limit),
        cmocka_unit_test(keys_are_positive_leave_room_and_differ),
        cmocka_unit_test(uuids_have_their_form_and_differ),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
