#include "database.h"

#include "clock.h"
#include "database_internal.h"
#include "log.h"
#include "metrics.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* An answer that takes longer means "not ready", well before the connection is given up: with a
 * check a second, readiness fails within 2 s of the database's hanging. */
#define OVERDUE_MS 700

void database_unwatch(struct database *database)
{
    if (database->socket >= 0)
        event_loop_forget(database->loop, database->socket);
    database->socket = -1;
}

/* What happened, and to which server. */
static void describe(const struct database *database, const char *reason,
                     char out[DATABASE_FAILURES_SIZE])
{
    snprintf(out, DATABASE_FAILURES_SIZE, "%s%s%s", database->server,
             database->server[0] == '\0' ? "" : ": ", reason);
}

static void note_failure(struct database *database, const char *what)
{
    size_t used = strlen(database->failures);
    snprintf(database->failures + used, sizeof database->failures - used, "%s%s",
             used > 0 ? "; " : "", what);
}

/* The round has ended without a server. Told once for as long as nothing changes. */
static void report_round(struct database *database)
{
    if (strcmp(database->failures, database->last_error) != 0) {
        log_warning("database not available", LOG_FIELDS(log_string("error", database->failures)));
        memcpy(database->last_error, database->failures, sizeof database->last_error);
    }
    database->failures[0] = '\0';
}

void database_lose(struct database *database, const char *reason)
{
    char what[DATABASE_FAILURES_SIZE];
    bool was_ready = database->state == READY;
    bool pause = was_ready || !servers_has_more(database->servers);

    describe(database, reason, what);
    if (was_ready)
        log_warning("database lost", LOG_FIELDS(log_string("error", what)));
    else
        note_failure(database, what);
    if (!was_ready && pause)
        report_round(database);
    database_unwatch(database);
    connection_close(database->connection);
    database->connection = NULL;
    database_end_witness(database);
    database->broken = false;
    database->has_waited = false;
    database->state = WAITING;
    database->deadline_ms =
        clock_monotonic_ms() + (pause ? backoff_next_ms(&database->backoff) : 0);
    database_drop_queries(database);
}

static void on_socket(void *context, uint32_t events);

/* The library may replace its socket, and wants other events from call to call. */
int database_watch(struct database *database)
{
    int socket = connection_socket(database->connection);
    uint32_t events = connection_events(database->connection);

    if (socket == database->socket && events == database->events && database->state != CONNECTING)
        return 0;
    if (socket != database->socket)
        database_unwatch(database);
    if (socket < 0 || event_loop_watch(database->loop, socket, events, on_socket, database) != 0)
        return -1;
    database->socket = socket;
    database->events = events;
    return 0;
}

static void become_ready(struct database *database)
{
    enum ledger_outcome outcome;

    database->state = READY;
    database->proof_ms = clock_monotonic_ms();
    database->touch_ms = database->proof_ms + DATABASE_TOUCH_INTERVAL_MS;
    database->answered = false;
    database->last_error[0] = '\0';
    if (connection_begin_pipeline(database->connection) != 0) {
        database->broken = true;
        return;
    }
    if (database->was_ready)
        database->reconnects++;
    database->was_ready = true;
    log_info("database ready", LOG_FIELDS(log_string("server", database->server),
                                          log_integer("slot", database->ledger.slot)));
    if (database->failures[0] != '\0')
        log_info("database servers passed over",
                 LOG_FIELDS(log_string("error", database->failures)));
    database->failures[0] = '\0';
    servers_prefer(database->servers);
    if (ledger_settle(&database->ledger, &outcome))
        database->callbacks->batch_resolved(database->context, outcome, database->ledger.count);
}

static void handle_results(struct database *database)
{
    while (database->connection != NULL && !database->broken) {
        struct connection_result result = connection_next(database->connection);
        switch (result.kind) {
        case CONNECTION_NOTHING:
            return;
        case CONNECTION_ROW:
            if (database->state == READY)
                database_query_row(database, &result);
            else
                database_setup_row(database, &result);
            break;
        case CONNECTION_NO_ROW:
            break;
        case CONNECTION_DONE:
            if (database->state == READY)
                database_query_done(database);
            else if (database_script_done(database))
                become_ready(database);
            break;
        case CONNECTION_FAILED:
            /* Nothing of the statement was kept. Connecting anew checks all that could be the
             * reason: the schema, the rights, which server this is. */
            database_lose(database, connection_misses_statement(database->connection)
                                        ? database_session_shared
                                        : connection_error(database->connection));
            return;
        }
    }
}

static void settle_connection(struct database *database)
{
    if (database->connection == NULL)
        return;
    if (database->broken)
        database_lose(database, connection_error(database->connection));
    else if (database_watch(database) != 0)
        database_lose(database, "the database's socket cannot be watched");
}

static void on_socket(void *context, uint32_t events)
{
    struct database *database = context;
    const struct connection *connection = database->connection;

    (void)events;
    enum connection_status status = connection_advance(database->connection);
    if (status == CONNECTION_OPEN && database->state == CONNECTING)
        database_connected(database);
    /* What was answered before the connection was lost is still there to be taken. */
    handle_results(database);
    if (status == CONNECTION_LOST && database->connection == connection)
        database->broken = true;
    settle_connection(database);
}

static int64_t step(void *context, int64_t now_ms)
{
    struct database *database = context;
    int64_t next_ms = 0; /* while READY */

    if (database->state == READY) {
        next_ms = database_keep_alive(database, now_ms);
    } else if (now_ms >= database->deadline_ms) {
        if (database->state == WAITING)
            database_begin_attempt(database);
        else
            database_attempt_overdue(database);
    }
    settle_connection(database);
    return database->state == READY ? next_ms : database->deadline_ms;
}

int database_create(struct database **created, struct event_loop *loop,
                    const struct database_options *options,
                    const struct database_callbacks *callbacks, void *context)
{
    struct database *database = calloc(1, sizeof *database);
    if (database == NULL)
        return -1;
    database->loop = loop;
    database->options = options;
    database->callbacks = callbacks;
    database->context = context;
    database->socket = -1;
    ledger_init(&database->ledger);
    if (servers_create(&database->servers, loop, options->hosts, options->ports, database_on_name,
                       database) != 0) {
        free(database);
        return -1;
    }
    event_loop_add_step(loop, step, database);
    *created = database;
    return 0;
}

void database_destroy(struct database *database)
{
    if (database == NULL)
        return;
    /* Not waited for: the server executes what it has received also when the connection closes. */
    if (database->state == READY && !database->broken)
        database_send_release(database);
    database_unwatch(database);
    connection_close(database->connection);
    database_end_witness(database);
    servers_destroy(database->servers);
    free(database);
}

bool database_is_ready(const struct database *database, int64_t now_ms)
{
    if (database->state != READY || database->broken)
        return false;
    return query_queue_is_empty(&database->queries) ||
           now_ms - query_queue_oldest_ms(&database->queries) < OVERDUE_MS;
}

void database_write_metrics(const struct database *database, FILE *out)
{
    metrics_write_gauge(out, "pingpong_database_up", "1 while the database can do the work.",
                        database_is_ready(database, clock_monotonic_ms()) ? 1 : 0);
    metrics_write_counter(out, "pingpong_database_reconnects_total",
                          "Connections that became ready after the first one.",
                          database->reconnects);
    metrics_write_counter(out, "pingpong_history_lost_total",
                          "Times that the database was found behind, or other than it was left.",
                          database->histories_lost);
}
