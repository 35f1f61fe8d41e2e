/* What is asked on a connection that is ready, and what becomes of the answers: see
 * database_internal.h. */
#include "clock.h"
#include "database_internal.h"
#include "schema.h"

#include <inttypes.h>
#include <stdio.h>

/* Without an answer, or without a commit that was confirmed, for this long, one is asked for. */
#define CHECK_INTERVAL_MS 1000

void database_drop_queries(struct database *database)
{
    if (query_queue_has(&database->queries, QUERY_BATCH))
        ledger_lost(&database->ledger);
    bool reading = query_queue_has(&database->queries, QUERY_READ);
    query_queue_clear(&database->queries);
    if (reading)
        database->callbacks->read_lost(database->context);
}

void database_query_row(struct database *database, const struct connection_result *row)
{
    database->answered = true;
    database->count = connection_integer(row, 0);
    database->wants_trim = row->columns == 2 && connection_boolean(row, 1);
}

/* A query changed or found nothing, where one row was to be expected. */
static void query_missed(struct database *database, enum query query)
{
    database_lose(database, "the counter's row, or this writer's record, is not as it was left");
    if (query == QUERY_BATCH)
        database->callbacks->batch_resolved(database->context, LEDGER_NOT_COMMITTED, 0);
    else if (query == QUERY_READ)
        database->callbacks->read_lost(database->context);
}

static void use_answer(struct database *database, enum query query)
{
    switch (query) {
    case QUERY_BATCH:
        ledger_committed(&database->ledger, database->count);
        database->callbacks->batch_committed(database->context, database->count);
        break;
    case QUERY_READ:
    case QUERY_CHECK:
        if (!ledger_saw(&database->ledger, database->count))
            query_missed(database, query);
        else if (query == QUERY_READ)
            database->callbacks->count_read(database->context, database->count);
        break;
    case QUERY_TOUCH:
        if (database->wants_trim)
            database_lose(database,
                          "registering anew, as the ledger has slots of writers that are gone");
        break;
    }
}

void database_query_done(struct database *database)
{
    enum query query = query_queue_pop(&database->queries);

    if (!database->answered) {
        query_missed(database, query);
        return;
    }
    database->answered = false;
    database->proof_ms = clock_monotonic_ms();
    if (query != QUERY_READ)
        database->confirmed_ms = database->proof_ms;
    backoff_reset(&database->backoff);
    use_answer(database, query);
}

static void send_query(struct database *database, enum query query, const char *statement,
                       int count, const char *const *parameters)
{
    query_queue_push(&database->queries, query, clock_monotonic_ms());
    if (connection_send_prepared(database->connection, statement, count, parameters) != 0)
        database->broken = true;
}

int64_t database_keep_alive(struct database *database, int64_t now_ms)
{
    if (!query_queue_is_empty(&database->queries)) {
        int64_t deadline_ms =
            query_queue_oldest_ms(&database->queries) + database->options->query_timeout_ms;
        if (now_ms >= deadline_ms) {
            servers_avoid(database->servers);
            database_lose(database, "no answer in time");
        }
        return deadline_ms;
    }
    if (now_ms >= database->touch_ms) {
        database->touch_ms = now_ms + DATABASE_TOUCH_INTERVAL_MS;
        send_query(database, QUERY_TOUCH, SCHEMA_TOUCH, 0, NULL);
    } else if (now_ms >= database->proof_ms + CHECK_INTERVAL_MS) {
        send_query(database, QUERY_CHECK, SCHEMA_CONFIRM, 0, NULL);
    } else {
        return database->proof_ms + CHECK_INTERVAL_MS;
    }
    return now_ms + database->options->query_timeout_ms;
}

void database_send_release(struct database *database)
{
    send_query(database, QUERY_TOUCH, SCHEMA_RELEASE, 0, NULL);
}

static bool can_send(const struct database *database, enum query query)
{
    return database->state == READY && !database->broken &&
           !query_queue_has(&database->queries, query);
}

bool database_can_send_batch(const struct database *database)
{
    return can_send(database, QUERY_BATCH);
}

bool database_can_read(const struct database *database)
{
    return can_send(database, QUERY_READ);
}

int64_t database_room(const struct database *database)
{
    return INT64_MAX - database->ledger.highest;
}

void database_send_batch(struct database *database, int64_t size)
{
    char size_text[24], ticket_text[24], highest_text[24];
    const char *const parameters[] = {size_text, ticket_text, highest_text};

    snprintf(size_text, sizeof size_text, "%" PRId64, size);
    snprintf(ticket_text, sizeof ticket_text, "%" PRId64, ledger_next_ticket(&database->ledger));
    snprintf(highest_text, sizeof highest_text, "%" PRId64, database->ledger.highest);
    send_query(database, QUERY_BATCH, SCHEMA_BATCH, 3, parameters);
}

void database_read(struct database *database)
{
    int64_t stale_ms = clock_monotonic_ms() - database->confirmed_ms;

    /* Answers come in order, and all other queries commit: so the count is of a server that can. */
    if (stale_ms >= CHECK_INTERVAL_MS && query_queue_is_empty(&database->queries))
        send_query(database, QUERY_CHECK, SCHEMA_CONFIRM, 0, NULL);
    send_query(database, QUERY_READ, SCHEMA_READ, 0, NULL);
}
