/* ledger: what is concluded about a batch whose answer was lost. */
#include "ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A writer that has registered in a new slot, where the negated key stands for the last ticket. */
static void start(struct ledger *ledger)
{
    enum ledger_outcome outcome;

    ledger_init(ledger);
    int64_t key = ledger_new_key(ledger);
    ledger_found(ledger, 100);
    ledger_registered(ledger, 3, -key, 100);
    assert_false(ledger_settle(ledger, &outcome));
}

/* Registers anew, which finds `ticket` and `count` recorded in `slot`. */
static void reconnect(struct ledger *ledger, int slot, int64_t ticket, int64_t count)
{
    ledger_new_key(ledger);
    ledger_registered(ledger, slot, ticket, count);
}

/* A batch under way when the connection is lost; returns its ticket. */
static int64_t lose_batch(struct ledger *ledger)
{
    int64_t ticket = ledger_next_ticket(ledger);
    ledger_lost(ledger);
    return ticket;
}

static void nothing_lost_means_nothing_to_settle(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t ticket = ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 101);
    reconnect(&ledger, 3, ticket, 101);
    assert_false(ledger_settle(&ledger, &outcome));
}

static void tickets_follow_the_key(void **state)
{
    struct ledger ledger;

    (void)state;
    ledger_init(&ledger);
    int64_t key = ledger_new_key(&ledger);
    assert_true(key > 0);
    assert_int_equal(ledger_next_ticket(&ledger), key + 1);
    assert_int_equal(ledger_next_ticket(&ledger), key + 2);
}

static void its_ticket_in_the_record_means_committed(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 101);
    int64_t lost = lose_batch(&ledger);
    reconnect(&ledger, 3, lost, 142);
    assert_true(ledger_settle(&ledger, &outcome));
    assert_int_equal(outcome, LEDGER_COMMITTED);
    assert_int_equal(ledger.count, 142);
}

/* As when the count went back while the record did not. */
static void a_committed_batch_has_been_seen(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t lost = lose_batch(&ledger);
    reconnect(&ledger, 3, lost, 142);
    ledger_found(&ledger, 120);
    assert_true(ledger_settle(&ledger, &outcome));
    assert_int_equal(outcome, LEDGER_COMMITTED);
    assert_false(ledger_saw(&ledger, 141));
}

static void the_ticket_before_means_not_committed(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t before = ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 101);
    lose_batch(&ledger);
    reconnect(&ledger, 3, before, 101);
    assert_true(ledger_settle(&ledger, &outcome));
    assert_int_equal(outcome, LEDGER_NOT_COMMITTED);
}

static void a_first_batch_is_judged_by_the_registration(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t registered = ledger.recorded;
    lose_batch(&ledger);
    reconnect(&ledger, 3, registered, 100);
    assert_true(ledger_settle(&ledger, &outcome));
    assert_int_equal(outcome, LEDGER_NOT_COMMITTED);
}

/* The answer to a registration can be lost as well, any number of times. */
static void registering_again_changes_no_judgement(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t lost = lose_batch(&ledger);
    for (int i = 0; i < 3; i++) {
        reconnect(&ledger, 3, lost, 142);
    }
    assert_true(ledger_settle(&ledger, &outcome));
    assert_int_equal(outcome, LEDGER_COMMITTED);
}

/* The slot went to another writer: the new slot's record is the key of a registration whose answer
 * may have been lost, so that it is no key of ours by the time it is read. */
static void a_strange_ticket_means_unknown(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    lose_batch(&ledger);
    int64_t unheard = -ledger_new_key(&ledger);
    reconnect(&ledger, 5, unheard, 200);
    assert_true(ledger_settle(&ledger, &outcome));
    assert_int_equal(outcome, LEDGER_UNKNOWN);
    assert_int_equal(ledger.slot, 5);
}

static void a_loss_is_settled_once(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t lost = lose_batch(&ledger);
    reconnect(&ledger, 3, lost, 142);
    assert_true(ledger_settle(&ledger, &outcome));
    reconnect(&ledger, 3, lost, 142);
    assert_false(ledger_settle(&ledger, &outcome));
}

static void a_lower_count_is_behind(void **state)
{
    struct ledger ledger;

    (void)state;
    start(&ledger);
    int64_t ticket = ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 142);
    ledger_found(&ledger, 141);
    reconnect(&ledger, 3, ticket, 141);
    assert_int_equal(ledger_compare(&ledger), LEDGER_BEHIND);
    ledger_found(&ledger, 142);
    assert_int_equal(ledger_compare(&ledger), LEDGER_KEPT);
}

static void a_count_that_was_only_read_is_known_as_well(void **state)
{
    struct ledger ledger;

    (void)state;
    start(&ledger);
    assert_true(ledger_saw(&ledger, 500));
    assert_true(ledger_saw(&ledger, 500));
    assert_false(ledger_saw(&ledger, 499));
    assert_int_equal(ledger.highest, 500);
}

/* A backup of an earlier batch, after which others have counted on. */
static void an_older_ticket_is_another_history(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t older = ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 101);
    ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 102);
    ledger_found(&ledger, 200);
    reconnect(&ledger, 3, older, 101);
    assert_int_equal(ledger_compare(&ledger), LEDGER_CHANGED);
    assert_false(ledger_adopt(&ledger));
    reconnect(&ledger, 3, older, 101);
    assert_int_equal(ledger_compare(&ledger), LEDGER_KEPT);
    assert_false(ledger_settle(&ledger, &outcome));
    assert_int_equal(ledger.highest, 200);
}

/* Others may have taken the slot of a writer that was away for long. */
static void a_record_that_is_gone_is_no_other_history(void **state)
{
    struct ledger ledger;

    (void)state;
    start(&ledger);
    ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 101);
    ledger_found(&ledger, 101);
    reconnect(&ledger, 5, -ledger_new_key(&ledger), 101);
    assert_int_equal(ledger_compare(&ledger), LEDGER_FORGOTTEN);
    ledger_found(&ledger, 100);
    assert_int_equal(ledger_compare(&ledger), LEDGER_BEHIND);
}

static void a_new_writer_has_no_record_to_miss(void **state)
{
    struct ledger ledger;

    (void)state;
    ledger_init(&ledger);
    ledger_found(&ledger, 100);
    ledger_registered(&ledger, 3, -ledger_new_key(&ledger), 100);
    assert_int_equal(ledger_compare(&ledger), LEDGER_KEPT);
}

/* The lost batch may have been committed in the history that is gone: it is not sent again. */
static void a_batch_lost_with_its_history_is_unknown(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t older = ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 101);
    ledger_next_ticket(&ledger);
    ledger_committed(&ledger, 102);
    lose_batch(&ledger);
    ledger_found(&ledger, 101);
    reconnect(&ledger, 3, older, 101);
    assert_int_equal(ledger_compare(&ledger), LEDGER_BEHIND);
    assert_true(ledger_adopt(&ledger));
    ledger_found(&ledger, 102);
    reconnect(&ledger, 3, older, 101);
    assert_int_equal(ledger_compare(&ledger), LEDGER_KEPT);
    assert_false(ledger_settle(&ledger, &outcome));
}

/* The history went back, but not behind the lost batch, or to just before it. */
static void a_batch_that_the_history_still_tells_of_is_settled(void **state)
{
    (void)state;
    for (int committed = 0; committed < 2; committed++) {
        struct ledger ledger;
        enum ledger_outcome outcome;

        start(&ledger);
        int64_t before = ledger_next_ticket(&ledger);
        ledger_committed(&ledger, 101);
        assert_true(ledger_saw(&ledger, 150));
        int64_t lost = lose_batch(&ledger);
        for (int64_t count = 102; count <= 150; count += 48) {
            ledger_found(&ledger, count);
            reconnect(&ledger, 3, committed ? lost : before, 102);
            assert_int_equal(ledger_compare(&ledger), count < 150 ? LEDGER_BEHIND : LEDGER_KEPT);
            if (count < 150)
                assert_false(ledger_adopt(&ledger));
        }
        assert_true(ledger_settle(&ledger, &outcome));
        assert_int_equal(outcome, committed ? LEDGER_COMMITTED : LEDGER_NOT_COMMITTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_lost_means_nothing_to_settle),
        cmocka_unit_test(tickets_follow_the_key),
        cmocka_unit_test(its_ticket_in_the_record_means_committed),
        cmocka_unit_test(a_committed_batch_has_been_seen),
        cmocka_unit_test(the_ticket_before_means_not_committed),
        cmocka_unit_test(a_first_batch_is_judged_by_the_registration),
        cmocka_unit_test(registering_again_changes_no_judgement),
        cmocka_unit_test(a_strange_ticket_means_unknown),
        cmocka_unit_test(a_loss_is_settled_once),
        cmocka_unit_test(a_lower_count_is_behind),
        cmocka_unit_test(a_count_that_was_only_read_is_known_as_well),
        cmocka_unit_test(an_older_ticket_is_another_history),
        cmocka_unit_test(a_record_that_is_gone_is_no_other_history),
        cmocka_unit_test(a_new_writer_has_no_record_to_miss),
        cmocka_unit_test(a_batch_lost_with_its_history_is_unknown),
        cmocka_unit_test(a_batch_that_the_history_still_tells_of_is_settled),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
