#include "database.h"

#include "backoff.h"
#include "clock.h"
#include "connection.h"
#include "identity.h"
#include "log.h"
#include "metrics.h"
#include "password.h"
#include "query_queue.h"
#include "resolver.h"
#include "schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* An answer that takes longer means "not ready", well before the connection is given up: with a
 * check a second, readiness fails within 2 s of the database's hanging. */
#define OVERDUE_MS 700

/* Without an answer for this long, one is asked for. */
#define CHECK_INTERVAL_MS 1000

/* How often the writer's slot is confirmed; several times within its expiry. */
#define TOUCH_INTERVAL_MS (SCHEMA_WRITER_EXPIRY_S * 1000 / 10)

enum state {
    WAITING,   /* for the time of the next attempt */
    RESOLVING, /* the host's name */
    CONNECTING,
    CHECKING,    /* whether the schema is there */
    CREATING,    /* the schema */
    REGISTERING, /* as a writer */
    PREPARING,   /* the statements */
    READY,
};

struct database {
    struct event_loop *loop;
    const struct database_options *options;
    const struct database_callbacks *callbacks;
    void *context;
    struct resolver *resolver;
    struct connection *connection; /* NULL: none */
    int socket;                    /* watched, or -1 */
    uint32_t events;
    bool broken; /* a send failed; dealt with where no result is being handled */

    enum state state;
    int64_t deadline_ms; /* of the attempt; in WAITING, when it begins */
    struct backoff backoff;
    bool created;  /* the schema, in this attempt */
    bool answered; /* the script under way gave the row that was asked for */
    bool schema_there;

    char writer[IDENTITY_UUID_SIZE];
    int slot;
    int64_t key;         /* that the next batch builds on */
    int64_t recorded;    /* the last ticket that the ledger is known to have held */
    int64_t lost_ticket; /* of the batch under way when a connection was lost; 0: none */
    int64_t slot_ticket; /* what registering found */
    int64_t slot_count;

    struct query_queue queries; /* under way, at most one of each kind */
    int64_t count;              /* what the query whose end is still to come gave */
    int64_t proof_ms;           /* the last answer */
    int64_t touch_ms;           /* the next touch */

    bool was_ready;
    uint64_t reconnects;
    char last_error[256]; /* what was logged, so that it is logged once */
};

static void unwatch(struct database *database)
{
    if (database->socket >= 0)
        event_loop_forget(database->loop, database->socket);
    database->socket = -1;
}

/* Ends the attempt or the connection; the next attempt comes after a pause. */
static void lose(struct database *database, const char *reason)
{
    if (strcmp(reason, database->last_error) != 0) {
        log_warning(database->state == READY ? "database lost" : "database not available",
                    LOG_FIELDS(log_string("error", reason)));
        snprintf(database->last_error, sizeof database->last_error, "%s", reason);
    }
    unwatch(database);
    connection_close(database->connection);
    database->connection = NULL;
    database->broken = false;
    database->state = WAITING;
    database->deadline_ms = clock_monotonic_ms() + backoff_next_ms(&database->backoff);
    if (query_queue_has(&database->queries, QUERY_BATCH))
        database->lost_ticket = database->key;
    bool reading = query_queue_has(&database->queries, QUERY_READ);
    query_queue_clear(&database->queries);
    if (reading)
        database->callbacks->read_lost(database->context);
}

static void on_socket(void *context, uint32_t events);

/* The library may replace its socket, and wants other events from call to call. */
static int watch(struct database *database)
{
    int socket = connection_socket(database->connection);
    uint32_t events = connection_events(database->connection);

    if (socket == database->socket && events == database->events && database->state != CONNECTING)
        return 0;
    if (socket != database->socket)
        unwatch(database);
    if (socket < 0 || event_loop_watch(database->loop, socket, events, on_socket, database) != 0)
        return -1;
    database->socket = socket;
    database->events = events;
    return 0;
}

static void connect_to(struct database *database, const char *addresses, int count)
{
    const struct database_options *options = database->options;
    char port[8], password[PASSWORD_SIZE];

    if (password_read(options->password, options->password_file, password) != 0) {
        lose(database, "DB_PASSWORD_FILE cannot be read");
        return;
    }
    snprintf(port, sizeof port, "%d", (int)options->port);
    const struct connection_options connection_options = {
        .host = options->host,
        .addresses = addresses,
        .address_count = count,
        .port = port,
        .user = options->user,
        .password = password[0] == '\0' ? NULL : password,
        .database = options->name,
        .ssl_mode = options->ssl_mode,
        .unacknowledged_ms = options->query_timeout_ms,
    };
    database->state = CONNECTING;
    database->connection = connection_open(&connection_options);
    explicit_bzero(password, sizeof password);
    if (database->connection == NULL)
        lose(database, "out of memory");
    else if (connection_advance(database->connection) == CONNECTION_LOST)
        lose(database, connection_error(database->connection));
    else if (watch(database) != 0)
        lose(database, "the database's socket cannot be watched");
}

static void on_addresses(void *context, const char *addresses, int count, const char *error)
{
    struct database *database = context;
    char reason[256];

    /* A slow name server's answer is used even if its attempt was given up meanwhile: otherwise
     * none would ever be in time. */
    if (database->state != RESOLVING && database->state != WAITING)
        return;
    if (addresses != NULL) {
        database->deadline_ms = clock_monotonic_ms() + database->options->connect_timeout_ms;
        connect_to(database, addresses, count);
        return;
    }
    if (database->state == WAITING)
        return;
    snprintf(reason, sizeof reason, "DB_HOST %.120s: %.100s", database->options->host, error);
    lose(database, reason);
}

static void begin_attempt(struct database *database, int64_t now_ms)
{
    database->deadline_ms = now_ms + database->options->connect_timeout_ms;
    database->created = false;
    if (database->options->host[0] == '/') {
        connect_to(database, NULL, 0);
        return;
    }
    database->state = RESOLVING;
    if (resolver_lookup(database->resolver, database->options->host) != 0)
        lose(database, "a thread for the host's name cannot be started");
}

static void run_script(struct database *database, enum state state, const char *sql)
{
    database->state = state;
    database->answered = false;
    if (connection_send_script(database->connection, sql) != 0)
        database->broken = true;
}

static void check_schema(struct database *database)
{
    char sql[SCHEMA_SQL_SIZE];
    /* The server gives up before we do, so that nothing of ours is left running there. */
    schema_check_sql(sql, database->options->query_timeout_ms * 4 / 5);
    run_script(database, CHECKING, sql);
}

static void register_writer(struct database *database)
{
    char sql[SCHEMA_SQL_SIZE];

    database->key = identity_new_key();
    schema_register_sql(sql, database->writer, database->key);
    run_script(database, REGISTERING, sql);
}

static void prepare(struct database *database)
{
    char sql[SCHEMA_SQL_SIZE];
    schema_prepare_sql(sql, database->writer, database->slot);
    run_script(database, PREPARING, sql);
}

static void create_schema(struct database *database)
{
    if (database->created) {
        lose(database, "the counter's row is missing and cannot be made");
        return;
    }
    log_info("making the schema", NULL);
    database->created = true;
    run_script(database, CREATING, schema_create_sql);
}

static int64_t to_integer(const char *text)
{
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

/* The row that tells what the writer's slot holds; see schema.h. */
static void note_registration(struct database *database, const struct connection_result *row)
{
    database->slot = (int)to_integer(row->values[0]);
    database->slot_ticket = to_integer(row->values[1]);
    database->slot_count = to_integer(row->values[2]);
}

static void note_row(struct database *database, const struct connection_result *row)
{
    if (database->state == CHECKING) {
        database->schema_there = row->values[0] != NULL && strcmp(row->values[0], "t") == 0;
    } else if (database->state == REGISTERING && row->columns == 3) {
        database->answered = true;
        note_registration(database, row);
    } else if (database->state == READY) {
        database->answered = true;
        database->count = to_integer(row->values[0]);
    }
}

/* A ticket that is neither the lost batch's nor the one before was put there when the slot, or
 * the whole database, changed hands. */
static enum database_outcome lost_batch_outcome(const struct database *database)
{
    if (database->slot_ticket == database->lost_ticket)
        return DATABASE_COMMITTED;
    return database->slot_ticket == database->recorded ? DATABASE_NOT_COMMITTED : DATABASE_UNKNOWN;
}

static void become_ready(struct database *database)
{
    enum database_outcome outcome = lost_batch_outcome(database);

    database->state = READY;
    database->proof_ms = clock_monotonic_ms();
    database->touch_ms = database->proof_ms + TOUCH_INTERVAL_MS;
    database->answered = false;
    database->last_error[0] = '\0';
    if (connection_begin_pipeline(database->connection) != 0) {
        database->broken = true;
        return;
    }
    if (database->was_ready)
        database->reconnects++;
    database->was_ready = true;
    log_info("database ready", LOG_FIELDS(log_integer("slot", database->slot)));
    /* From here on this is what the next loss is told by; before, the attempt could have failed
     * and the question come up again. */
    database->recorded = database->slot_ticket;
    if (database->lost_ticket != 0) {
        database->lost_ticket = 0;
        database->callbacks->batch_resolved(database->context, outcome, database->slot_count);
    }
}

/* A query changed or found nothing, where one row was to be expected. */
static void query_missed(struct database *database, enum query query)
{
    lose(database, "the counter's row, or this writer's record, is not as it was left");
    if (query == QUERY_BATCH)
        database->callbacks->batch_resolved(database->context, DATABASE_NOT_COMMITTED, 0);
    else if (query == QUERY_READ)
        database->callbacks->read_lost(database->context);
}

/* A query in the pipeline is complete, and so committed. */
static void query_done(struct database *database)
{
    enum query query = query_queue_pop(&database->queries);

    if (!database->answered) {
        query_missed(database, query);
        return;
    }
    database->answered = false;
    database->proof_ms = clock_monotonic_ms();
    backoff_reset(&database->backoff);
    if (query == QUERY_BATCH) {
        database->recorded = database->key;
        database->callbacks->batch_committed(database->context, database->count);
    } else if (query == QUERY_READ) {
        database->callbacks->count_read(database->context, database->count);
    }
}

static void script_done(struct database *database)
{
    switch (database->state) {
    case CHECKING:
        if (database->schema_there)
            register_writer(database);
        else
            create_schema(database);
        break;
    case CREATING:
        register_writer(database);
        break;
    case REGISTERING:
        if (database->answered)
            prepare(database);
        else
            create_schema(database);
        break;
    case PREPARING:
        become_ready(database);
        break;
    default:
        break;
    }
}

static void handle_results(struct database *database)
{
    while (database->connection != NULL && !database->broken) {
        struct connection_result result = connection_next(database->connection);
        switch (result.kind) {
        case CONNECTION_NOTHING:
            return;
        case CONNECTION_ROW:
            note_row(database, &result);
            break;
        case CONNECTION_NO_ROW:
            break;
        case CONNECTION_DONE:
            if (database->state == READY)
                query_done(database);
            else
                script_done(database);
            break;
        case CONNECTION_FAILED:
            /* Nothing of the statement was kept. Connecting anew checks all that could be the
             * reason: the schema, the rights, which server this is. */
            lose(database, connection_error(database->connection));
            return;
        }
    }
}

static void settle_connection(struct database *database)
{
    if (database->connection == NULL)
        return;
    if (database->broken)
        lose(database, connection_error(database->connection));
    else if (watch(database) != 0)
        lose(database, "the database's socket cannot be watched");
}

static void on_socket(void *context, uint32_t events)
{
    struct database *database = context;

    (void)events;
    enum connection_status status = connection_advance(database->connection);
    if (status == CONNECTION_OPEN && database->state == CONNECTING)
        check_schema(database);
    /* What was answered before the connection was lost is still there to be taken. */
    handle_results(database);
    if (status == CONNECTION_LOST && database->connection != NULL)
        database->broken = true;
    settle_connection(database);
}

static void send_query(struct database *database, enum query query, const char *statement,
                       int count, const char *const *parameters)
{
    query_queue_push(&database->queries, query, clock_monotonic_ms());
    if (connection_send_prepared(database->connection, statement, count, parameters) != 0)
        database->broken = true;
}

/* Asks for a sign of life after a second without one. Returns when to look again. */
static int64_t keep_alive(struct database *database, int64_t now_ms)
{
    if (!query_queue_is_empty(&database->queries)) {
        int64_t deadline_ms =
            query_queue_oldest_ms(&database->queries) + database->options->query_timeout_ms;
        if (now_ms >= deadline_ms)
            lose(database, "no answer in time");
        return deadline_ms;
    }
    if (now_ms >= database->touch_ms) {
        database->touch_ms = now_ms + TOUCH_INTERVAL_MS;
        send_query(database, QUERY_TOUCH, SCHEMA_TOUCH, 0, NULL);
    } else if (now_ms >= database->proof_ms + CHECK_INTERVAL_MS) {
        send_query(database, QUERY_CHECK, SCHEMA_READ, 0, NULL);
    } else {
        return database->proof_ms + CHECK_INTERVAL_MS;
    }
    return now_ms + database->options->query_timeout_ms;
}

static int64_t step(void *context, int64_t now_ms)
{
    struct database *database = context;
    int64_t next_ms = database->deadline_ms;

    if (database->state == READY) {
        next_ms = keep_alive(database, now_ms);
    } else if (now_ms >= database->deadline_ms) {
        if (database->state == WAITING)
            begin_attempt(database, now_ms);
        else
            lose(database, "cannot connect in time");
        next_ms = database->deadline_ms;
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
    identity_new_uuid(database->writer);
    if (resolver_create(&database->resolver, loop, on_addresses, database) != 0) {
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
        send_query(database, QUERY_TOUCH, SCHEMA_RELEASE, 0, NULL);
    unwatch(database);
    connection_close(database->connection);
    resolver_destroy(database->resolver);
    free(database);
}

bool database_is_ready(const struct database *database, int64_t now_ms)
{
    if (database->state != READY || database->broken)
        return false;
    return query_queue_is_empty(&database->queries) ||
           now_ms - query_queue_oldest_ms(&database->queries) < OVERDUE_MS;
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

void database_send_batch(struct database *database, int64_t size)
{
    char size_text[24], ticket_text[24];
    const char *const parameters[] = {size_text, ticket_text};

    database->key++;
    snprintf(size_text, sizeof size_text, "%" PRId64, size);
    snprintf(ticket_text, sizeof ticket_text, "%" PRId64, database->key);
    send_query(database, QUERY_BATCH, SCHEMA_BATCH, 2, parameters);
}

void database_read(struct database *database)
{
    send_query(database, QUERY_READ, SCHEMA_READ, 0, NULL);
}

void database_write_metrics(const struct database *database, FILE *out)
{
    metrics_write_gauge(out, "pingpong_database_up", "1 while the database can do the work.",
                        database_is_ready(database, clock_monotonic_ms()) ? 1 : 0);
    metrics_write_counter(out, "pingpong_database_reconnects_total",
                          "Connections that became ready after the first one.",
                          database->reconnects);
}
