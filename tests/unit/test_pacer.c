#include "pacer.h"

#include "unit.h"

#include <math.h>

/* Clients, a database and a clock of ten microseconds a tick. */
#define TICK_NS 10000
#define TICKS_PER_S (1000000000 / TICK_NS)
#define AHEAD_TICKS 4096

struct simulation {
    struct pacer pacer;
    bool at_once;           /* never hold, whatever the pacer says */
    int64_t commit_ticks;   /* of every batch */
    int64_t clients;        /* that come again after their answer; */
    int64_t back_per_tick;  /* so many of them in each tick after it */
    double arrivals_a_tick; /* of clients that do not wait for answers */

    int64_t now;
    int64_t coming[AHEAD_TICKS]; /* how many, by tick */
    uint64_t random;
    int64_t waiting, waiting_since_sum; /* not sent */
    int64_t batch, batch_since_sum;     /* sent */
    int64_t commit_end;

    int64_t batches, pings, waited_ticks; /* since the last measurement began */
};

struct measured {
    double batch_size;
    double wait_ticks;
};

static void start(struct simulation *simulation)
{
    pacer_init(&simulation->pacer);
    simulation->random = 1;
    simulation->coming[0] = simulation->clients;
}

/* A die thrown every tick; on average arrivals_a_tick. */
static int64_t uninvited(struct simulation *simulation)
{
    simulation->random = simulation->random * 6364136223846793005U + 1442695040888963407U;
    double thrown = (double)(simulation->random >> 11) / 9007199254740992.0;
    double beyond = simulation->arrivals_a_tick - thrown;
    return beyond > 0 ? (int64_t)ceil(beyond) : 0;
}

static void arrive(struct simulation *simulation)
{
    int64_t *coming = &simulation->coming[simulation->now % AHEAD_TICKS];
    int64_t count = *coming + uninvited(simulation);
    *coming = 0;
    simulation->waiting += count;
    simulation->waiting_since_sum += count * simulation->now;
}

static void send_if_free(struct simulation *simulation)
{
    if (simulation->batch > 0 || simulation->waiting == 0)
        return;
    if (!simulation->at_once &&
        pacer_holds(&simulation->pacer, simulation->now * TICK_NS, simulation->waiting))
        return;
    pacer_sent(&simulation->pacer);
    simulation->batch = simulation->waiting;
    simulation->batch_since_sum = simulation->waiting_since_sum;
    simulation->waiting = simulation->waiting_since_sum = 0;
    simulation->commit_end = simulation->now + simulation->commit_ticks;
}

static void commit(struct simulation *simulation)
{
    int64_t pings = simulation->batch;
    int64_t waited = pings * simulation->now - simulation->batch_since_sum;

    pacer_committed(&simulation->pacer, simulation->now * TICK_NS,
                    simulation->commit_ticks * TICK_NS, pings + simulation->waiting);
    simulation->batch = 0;
    send_if_free(simulation);
    pacer_observe(&simulation->pacer, simulation->now * TICK_NS, pings, waited * TICK_NS);
    for (int64_t i = 0; simulation->clients > 0 && i < pings; i++)
        simulation->coming[(simulation->now + 1 + i / simulation->back_per_tick) % AHEAD_TICKS]++;
    simulation->batches++;
    simulation->pings += pings;
    simulation->waited_ticks += waited;
}

static struct measured run(struct simulation *simulation, int64_t seconds)
{
    simulation->batches = simulation->pings = simulation->waited_ticks = 0;
    for (int64_t tick = 0; tick < seconds * TICKS_PER_S; tick++, simulation->now++) {
        arrive(simulation);
        if (simulation->batch > 0 && simulation->now >= simulation->commit_end)
            commit(simulation);
        send_if_free(simulation);
    }
    assert_true(simulation->batches > 0);
    return (struct measured){
        .batch_size = (double)simulation->pings / (double)simulation->batches,
        .wait_ticks = (double)simulation->waited_ticks / (double)simulation->pings,
    };
}

/* Runs the same load with the pacer and without. */
static void compare(struct simulation *simulation, struct measured *paced, struct measured *at_once)
{
    static struct simulation other;

    other = *simulation;
    other.at_once = true;
    start(simulation);
    start(&other);
    (void)run(simulation, 10);
    (void)run(&other, 10);
    *paced = run(simulation, 20);
    *at_once = run(&other, 20);
}

static void a_new_one_holds_nothing_back(void **state)
{
    struct pacer pacer;

    (void)state;
    pacer_init(&pacer);
    assert_false(pacer_holds(&pacer, 0, 1));
    pacer_committed(&pacer, 1000, 1000, 64);
    assert_false(pacer_holds(&pacer, 1000, 1));
}

static void a_batch_waits_for_most_of_those_expected(void **state)
{
    struct pacer pacer;

    (void)state;
    pacer_init(&pacer);
    pacer.holding = true;
    pacer_committed(&pacer, 0, 1000000, 64);
    assert_true(pacer_holds(&pacer, 1, 1));
    assert_true(pacer_holds(&pacer, 1, 55));
    assert_false(pacer_holds(&pacer, 1, 56));
    pacer_sent(&pacer);
    assert_false(pacer_holds(&pacer, 1, 1));
    pacer_committed(&pacer, 0, 1000000, 1);
    assert_false(pacer_holds(&pacer, 1, 1));
}

static void no_batch_waits_longer_than_three_commits(void **state)
{
    struct pacer pacer;

    (void)state;
    pacer_init(&pacer);
    pacer.holding = true;
    pacer_committed(&pacer, 5000000, 1000000, 8);
    assert_true(pacer_holds(&pacer, 7999999, 1));
    assert_false(pacer_holds(&pacer, 8000000, 1));
    assert_int_equal(pacer_hold_ms(&pacer), 9);
}

static void no_batch_waits_longer_than_the_cap(void **state)
{
    struct pacer pacer;

    (void)state;
    pacer_init(&pacer);
    pacer.holding = true;
    pacer_committed(&pacer, 0, 60000000000, 8);
    assert_true(pacer_holds(&pacer, PACER_HOLD_MAX_NS - 1, 1));
    assert_false(pacer_holds(&pacer, PACER_HOLD_MAX_NS, 1));
}

/* What a window of either way looks like, made up. */
struct way {
    int64_t pings_a_batch;
    int64_t wait_ns;
};

/* Batches of a millisecond: in the usual way until the other is tried, and then in that until the
 * trial has ended. Returns whether the pacer holds batches from then on. */
static bool decide(struct pacer *pacer, const struct way *at_once, const struct way *hold)
{
    static int64_t now_ns;
    bool tried = false;

    for (int batches = 0; !tried || pacer->trying; batches++) {
        const struct way *way = pacer->holding ? hold : at_once;
        assert_true(batches < 100000);
        now_ns += 1000000;
        pacer_observe(pacer, now_ns, way->pings_a_batch, way->pings_a_batch * way->wait_ns);
        tried = tried || pacer->trying;
    }
    return pacer->holding;
}

static void more_answers_a_second_decide_whatever_the_wait(void **state)
{
    const struct way slower = {.pings_a_batch = 100, .wait_ns = 100};
    const struct way faster = {.pings_a_batch = 110, .wait_ns = 200};
    struct pacer pacer;

    (void)state;
    pacer_init(&pacer);
    assert_true(decide(&pacer, &slower, &faster));
    assert_true(decide(&pacer, &slower, &faster));
    pacer_init(&pacer);
    assert_false(decide(&pacer, &faster, &slower));
}

static void the_shorter_wait_decides_between_equal_answers_a_second(void **state)
{
    const struct way longer = {.pings_a_batch = 100, .wait_ns = 200};
    const struct way shorter = {.pings_a_batch = 101, .wait_ns = 100};
    struct pacer pacer;

    (void)state;
    pacer_init(&pacer);
    assert_false(decide(&pacer, &shorter, &longer));
    assert_false(decide(&pacer, &shorter, &longer));
    pacer_init(&pacer);
    assert_true(decide(&pacer, &longer, &shorter));
}

static void what_is_not_better_beyond_chance_changes_nothing(void **state)
{
    const struct way usual = {.pings_a_batch = 19, .wait_ns = 100};
    const struct way lucky = {.pings_a_batch = 20, .wait_ns = 100};
    struct pacer pacer;

    (void)state;
    /* 4000 pings in a window against 3800: so much comes by itself. */
    pacer_init(&pacer);
    assert_false(decide(&pacer, &usual, &lucky));
}

static void clients_that_return_soon_share_one_batch(void **state)
{
    static struct simulation simulation;
    struct measured paced, at_once;

    (void)state;
    simulation = (struct simulation){.commit_ticks = 100, .clients = 64, .back_per_tick = 4};
    compare(&simulation, &paced, &at_once);
    assert_true(at_once.batch_size < 40);
    assert_true(paced.batch_size > 50);
    assert_true(paced.wait_ticks < 0.8 * at_once.wait_ticks);
}

static void clients_that_return_slowly_are_not_waited_for(void **state)
{
    static struct simulation simulation;
    struct measured paced, at_once;

    (void)state;
    simulation = (struct simulation){.commit_ticks = 10, .clients = 1000, .back_per_tick = 2};
    compare(&simulation, &paced, &at_once);
    assert_true(paced.wait_ticks < 1.1 * at_once.wait_ticks);
}

static void clients_that_do_not_wait_for_answers_wait_no_longer(void **state)
{
    static const double arrivals_a_commit[] = {0.1, 1, 2, 8, 64};
    static struct simulation simulation;
    struct measured paced, at_once;

    (void)state;
    for (size_t i = 0; i < LENGTH(arrivals_a_commit); i++) {
        simulation =
            (struct simulation){.commit_ticks = 100, .arrivals_a_tick = arrivals_a_commit[i] / 100};
        compare(&simulation, &paced, &at_once);
        if (paced.wait_ticks > 1.1 * at_once.wait_ticks)
            FAIL_CASE("%g arrivals a commit: %g ticks, %g at once", arrivals_a_commit[i],
                      paced.wait_ticks, at_once.wait_ticks);
    }
}

static void a_change_of_the_load_is_noticed(void **state)
{
    static struct simulation simulation;

    (void)state;
    simulation = (struct simulation){.commit_ticks = 100, .clients = 64, .back_per_tick = 4};
    start(&simulation);
    (void)run(&simulation, 10);
    assert_true(run(&simulation, 20).batch_size > 50);

    simulation.clients = 0;
    simulation.arrivals_a_tick = 0.1;
    (void)run(&simulation, 20);
    assert_true(run(&simulation, 20).batch_size < 12);

    simulation.arrivals_a_tick = 0;
    simulation.clients = 64;
    simulation.coming[simulation.now % AHEAD_TICKS] = 64;
    (void)run(&simulation, 20);
    assert_true(run(&simulation, 20).batch_size > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_holds_nothing_back),
        cmocka_unit_test(a_batch_waits_for_most_of_those_expected),
        cmocka_unit_test(no_batch_waits_longer_than_three_commits),
        cmocka_unit_test(no_batch_waits_longer_than_the_cap),
        cmocka_unit_test(more_answers_a_second_decide_whatever_the_wait),
        cmocka_unit_test(the_shorter_wait_decides_between_equal_answers_a_second),
        cmocka_unit_test(what_is_not_better_beyond_chance_changes_nothing),
        cmocka_unit_test(clients_that_return_soon_share_one_batch),
        cmocka_unit_test(clients_that_return_slowly_are_not_waited_for),
        cmocka_unit_test(clients_that_do_not_wait_for_answers_wait_no_longer),
        cmocka_unit_test(a_change_of_the_load_is_noticed),
    };
    return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
