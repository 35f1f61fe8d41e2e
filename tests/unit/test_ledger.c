/* ledger: what is concluded about a batch whose answer was lost. */
#include "ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A writer that has registered in a new slot, where the key stands for the last ticket. */
static void start(struct ledger *ledger)
{
    enum ledger_outcome outcome;

    ledger_init(ledger);
    int64_t key = ledger_new_key(ledger);
    ledger_registered(ledger, 3, key, 100);
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
    ledger_committed(&ledger);
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
    ledger_committed(&ledger);
    int64_t lost = lose_batch(&ledger);
    reconnect(&ledger, 3, lost, 142);
    assert_true(ledger_settle(&ledger, &outcome));
    assert_int_equal(outcome, LEDGER_COMMITTED);
    assert_int_equal(ledger.count, 142);
}

static void the_ticket_before_means_not_committed(void **state)
{
    struct ledger ledger;
    enum ledger_outcome outcome;

    (void)state;
    start(&ledger);
    int64_t before = ledger_next_ticket(&ledger);
    ledger_committed(&ledger);
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
    int64_t unheard = ledger_new_key(&ledger);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_lost_means_nothing_to_settle),
        cmocka_unit_test(tickets_follow_the_key),
        cmocka_unit_test(its_ticket_in_the_record_means_committed),
        cmocka_unit_test(the_ticket_before_means_not_committed),
        cmocka_unit_test(a_first_batch_is_judged_by_the_registration),
        cmocka_unit_test(registering_again_changes_no_judgement),
        cmocka_unit_test(a_strange_ticket_means_unknown),
        cmocka_unit_test(a_loss_is_settled_once),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
