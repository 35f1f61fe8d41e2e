#include "client/pool.h"

#include "client/balance.h"

#include <stdlib.h>
#include <string.h>

struct client_pool {
    struct client_multi *multi;
    const struct client_options *options;
    struct client_balance balance;
    size_t replica_header; /* its index; header_count: none */
    int64_t count;         /* made so far */
    struct client_connection connections[];
};

static size_t find_header(const struct client_options *options)
{
    size_t i = 0;
    while (i < options->header_count && options->replica_header != NULL &&
           strcmp(options->headers[i], options->replica_header) != 0)
        i++;
    return options->replica_header == NULL ? options->header_count : i;
}

struct client_pool *client_pool_create(struct client_multi *multi,
                                       const struct client_options *options)
{
    size_t size = (size_t)options->connections_max * sizeof(struct client_connection);
    struct client_pool *pool = calloc(1, sizeof *pool + size);
    if (pool == NULL)
        return NULL;
    pool->multi = multi;
    pool->options = options;
    pool->replica_header = find_header(options);
    return pool;
}

void client_pool_destroy(struct client_pool *pool)
{
    if (pool == NULL)
        return;
    for (int64_t i = 0; i < pool->count; i++)
        client_transfer_destroy(pool->connections[i].transfer);
    free(pool);
}

static bool is_usable(const struct client_pool *pool, const struct client_connection *connection,
                      int64_t now_ms)
{
    return !connection->in_use && connection->is_open &&
           now_ms - connection->used_ms < connection->idle_ms &&
           now_ms - connection->opened_ms < pool->options->connection_age_ms;
}

/* Of the replica that was asked least; and of its connections the one that rests longest, which is
 * the next in turn where replicas are not told apart. */
static struct client_connection *choose_open(struct client_pool *pool,
                                             const struct client_request *request, int64_t now_ms)
{
    struct client_connection *chosen = NULL;
    double asked_least = 0;

    for (int64_t i = 0; i < pool->count; i++) {
        struct client_connection *candidate = &pool->connections[i];
        if (!is_usable(pool, candidate, now_ms) ||
            (request->is_repeated && request->avoid >= 0 && candidate->replica == request->avoid))
            continue;
        double asked = client_balance_asked(&pool->balance, candidate->replica);
        if (chosen == NULL || asked < asked_least ||
            (asked == asked_least && candidate->used_ms < chosen->used_ms)) {
            chosen = candidate;
            asked_least = asked;
        }
    }
    return chosen;
}

static int64_t open_to(const struct client_pool *pool, int replica)
{
    int64_t count = 0;
    for (int64_t i = 0; i < pool->count; i++)
        count += pool->connections[i].is_open && pool->connections[i].replica == replica;
    return count;
}

/* One that is to be replaced: none that is of use, if possible, else the oldest of those that lead
 * to the same replica. */
static struct client_connection *choose_victim(struct client_pool *pool, int64_t now_ms)
{
    struct client_connection *victim = NULL;
    int64_t same_most = 0;

    for (int64_t i = 0; i < pool->count; i++) {
        struct client_connection *candidate = &pool->connections[i];
        if (candidate->in_use)
            continue;
        if (!is_usable(pool, candidate, now_ms))
            return candidate;
        int64_t same = open_to(pool, candidate->replica);
        if (victim == NULL || same > same_most ||
            (same == same_most && candidate->opened_ms < victim->opened_ms)) {
            victim = candidate;
            same_most = same;
        }
    }
    return victim;
}

static struct client_connection *make(struct client_pool *pool)
{
    if (pool->count == pool->options->connections_max)
        return NULL;
    struct client_connection *connection = &pool->connections[pool->count];
    connection->transfer = client_transfer_create(pool->multi, pool->options);
    if (connection->transfer == NULL)
        return NULL;
    pool->count++;
    return connection;
}

/* One without a connection yet, or whose connection is not used any more. */
static struct client_connection *choose_new(struct client_pool *pool, int64_t now_ms)
{
    struct client_connection *chosen = choose_victim(pool, now_ms);

    if (chosen == NULL || is_usable(pool, chosen, now_ms)) {
        struct client_connection *made = make(pool);
        if (made != NULL)
            return made;
    }
    if (chosen != NULL)
        client_transfer_renew(chosen->transfer);
    return chosen;
}

struct client_connection *client_pool_take(struct client_pool *pool,
                                           const struct client_request *request, int64_t now_ms)
{
    struct client_connection *chosen = NULL;

    if (request->is_repeated || !pool->options->is_balanced ||
        !client_balance_wants_connection(&pool->balance, now_ms))
        chosen = choose_open(pool, request, now_ms);
    if (chosen == NULL) {
        chosen = choose_new(pool, now_ms);
        if (chosen == NULL)
            return NULL;
        chosen->is_open = false;
        chosen->replica = CLIENT_BALANCE_UNKNOWN;
    }
    chosen->in_use = true;
    chosen->weight = request->weight == 0 ? 1 : request->weight;
    client_balance_add(&pool->balance, chosen->replica, chosen->weight);
    return chosen;
}

void client_pool_give_back(struct client_pool *pool, struct client_connection *connection,
                           struct client_answer *answer, int64_t now_ms)
{
    bool was_known = connection->replica != CLIENT_BALANCE_UNKNOWN;
    bool is_new = client_transfer_has_connected(connection->transfer);

    connection->in_use = false;
    connection->is_open = answer->headers != NULL && pool->options->connection_age_ms > 0;
    connection->used_ms = now_ms;
    connection->idle_ms = client_transfer_idle_ms(connection->transfer);
    if (is_new)
        connection->opened_ms = now_ms;
    answer->replica = connection->replica;
    if (answer->headers == NULL || pool->replica_header == pool->options->header_count)
        return;
    const char *name = answer->headers[pool->replica_header];
    connection->replica = client_balance_note_answer(&pool->balance, name, is_new, now_ms);
    answer->replica = connection->replica;
    if (!was_known)
        client_balance_add(&pool->balance, connection->replica, connection->weight);
}
