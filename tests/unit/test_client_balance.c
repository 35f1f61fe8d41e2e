#include "client/balance.h"

#include "unit.h"

#include <math.h>

#define REPLICAS 5
#define CONNECTIONS 32

/* A pool as simple as can be over a service that gives each connection a replica by chance. */
struct simulation {
    struct client_balance balance;
    uint64_t random;
    int64_t now_ms;
    bool named;   /* the answers say who gave them */
    int replicas; /* that the service has */
    int behind[CONNECTIONS];
    int replica[CONNECTIONS]; /* as the balance knows it */
    int64_t used[CONNECTIONS];
    int open;
    int64_t requests, connections;
    int64_t asked[REPLICAS];
};

static uint64_t next_random(struct simulation *simulation)
{
    simulation->random = simulation->random * 6364136223846793005u + 1442695040888963407u;
    return simulation->random >> 33;
}

static int choose(const struct simulation *simulation)
{
    int chosen = 0;
    for (int i = 1; i < simulation->open; i++) {
        double asked = client_balance_asked(&simulation->balance, simulation->replica[i]);
        double least = client_balance_asked(&simulation->balance, simulation->replica[chosen]);
        if (asked < least || (asked == least && simulation->used[i] < simulation->used[chosen]))
            chosen = i;
    }
    return chosen;
}

static void request(struct simulation *simulation)
{
    static const char *const names[REPLICAS] = {"a", "b", "c", "d", "e"};
    bool is_new = client_balance_wants_connection(&simulation->balance, simulation->now_ms);
    int chosen = choose(simulation);

    is_new = is_new || simulation->open == 0;
    if (is_new) {
        chosen = (int)(simulation->connections % CONNECTIONS);
        if (simulation->open <= chosen)
            simulation->open = chosen + 1;
        simulation->behind[chosen] =
            (int)(next_random(simulation) % (uint64_t)simulation->replicas);
        simulation->replica[chosen] = CLIENT_BALANCE_UNKNOWN;
        simulation->connections++;
    }
    client_balance_add(&simulation->balance, simulation->replica[chosen], 1);
    simulation->asked[simulation->behind[chosen]]++;
    simulation->used[chosen] = ++simulation->requests;
    int replica = client_balance_note_answer(
        &simulation->balance, simulation->named ? names[simulation->behind[chosen]] : "", is_new,
        simulation->now_ms);
    if (is_new)
        client_balance_add(&simulation->balance, replica, 1);
    simulation->replica[chosen] = replica;
}

static void run(struct simulation *simulation, int64_t interval_ms, int64_t for_ms)
{
    memset(simulation->asked, 0, sizeof simulation->asked);
    simulation->requests = simulation->connections = 0;
    for (int64_t end_ms = simulation->now_ms + for_ms; simulation->now_ms < end_ms;
         simulation->now_ms += interval_ms)
        request(simulation);
}

/* The largest distance from an equal share, as a part of it. */
static double unfairness(const struct simulation *simulation)
{
    double share = (double)simulation->requests / simulation->replicas, worst = 0;
    for (int i = 0; i < simulation->replicas; i++)
        worst = fmax(worst, fabs((double)simulation->asked[i] / share - 1));
    return worst;
}

static void gives_each_replica_its_share_from_the_start(void **state)
{
    int within = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct simulation simulation = {
            .random = seed, .now_ms = 100000, .named = true, .replicas = REPLICAS};
        run(&simulation, 20, 10000);
        within += unfairness(&simulation) < 0.25;
    }
    assert_in_range(within, 198, 200);
}

static void keeps_to_few_connections_once_all_are_known(void **state)
{
    struct simulation simulation = {
        .random = 7, .now_ms = 100000, .named = true, .replicas = REPLICAS};

    (void)state;
    run(&simulation, 1, 10000);
    run(&simulation, 1, 10000);
    assert_in_range(simulation.connections, 9, 11);
    assert_true(unfairness(&simulation) < 0.02);
}

/* Each new connection costs its request a round trip, and there is nobody to be fair to. */
static void keeps_to_few_connections_where_there_is_one_replica(void **state)
{
    struct simulation simulation = {.random = 7, .now_ms = 100000, .named = true, .replicas = 1};

    (void)state;
    run(&simulation, 20, 10000);
    assert_in_range(simulation.connections, 10, 21);
    run(&simulation, 20, 10000);
    assert_in_range(simulation.connections, 9, 11);
}

static void finds_a_second_replica(void **state)
{
    struct simulation simulation = {.random = 3, .now_ms = 100000, .named = true, .replicas = 1};

    (void)state;
    run(&simulation, 1, 10000);
    simulation.replicas = 2;
    run(&simulation, 1, 20000);
    run(&simulation, 1, 10000);
    assert_true(unfairness(&simulation) < 0.02);
}

static void finds_a_replica_that_is_added(void **state)
{
    struct simulation simulation = {
        .random = 3, .now_ms = 100000, .named = true, .replicas = REPLICAS - 1};

    (void)state;
    run(&simulation, 1, 10000);
    simulation.replicas = REPLICAS;
    run(&simulation, 1, 30000);
    run(&simulation, 1, 10000);
    assert_true(unfairness(&simulation) < 0.02);
}

/* Chance alone: 500 connections, of which each of five gets 100 +- 9. */
static void leaves_it_to_chance_where_no_one_is_named(void **state)
{
    int within = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct simulation simulation = {.random = seed, .now_ms = 100000, .replicas = REPLICAS};
        run(&simulation, 1, 10000);
        assert_in_range(simulation.connections, 450, 501);
        within += unfairness(&simulation) < 0.25;
    }
    assert_in_range(within, 190, 200);
}

static void asks_for_few_connections_where_little_is_asked(void **state)
{
    struct simulation simulation = {.random = 5, .now_ms = 100000, .replicas = REPLICAS};

    (void)state;
    run(&simulation, 200, 60000);
    assert_in_range(simulation.connections, 10, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_replica_its_share_from_the_start),
        cmocka_unit_test(keeps_to_few_connections_once_all_are_known),
        cmocka_unit_test(keeps_to_few_connections_where_there_is_one_replica),
        cmocka_unit_test(finds_a_second_replica),
        cmocka_unit_test(finds_a_replica_that_is_added),
        cmocka_unit_test(leaves_it_to_chance_where_no_one_is_named),
        cmocka_unit_test(asks_for_few_connections_where_little_is_asked),
    };
    return cmocka_run_group_tests_name("client_balance", tests, NULL, NULL);
}
