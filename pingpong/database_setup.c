/* From nothing to a connection on which pings can be counted: see database_internal.h. */
#include "clock.h"
#include "database_internal.h"
#include "log.h"
#include "password.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than replicas pause between attempts, with time for one. */
#define HISTORY_PAUSE_MS (3 * BACKOFF_LONGEST_MS)

const char database_session_shared[] =
    "a pooler in transaction or statement mode is between, which gives a session to others while "
    "it is in use: have it in session mode (PgBouncer: pool_mode = session), or connect to the "
    "server itself";

static void name_server(struct database *database, const struct server *server)
{
    if (server->address == NULL || strcmp(server->address, server->host) == 0)
        snprintf(database->server, sizeof database->server, "%s port %s", server->host,
                 server->port);
    else
        snprintf(database->server, sizeof database->server, "%.*s (%s) port %s",
                 (int)sizeof database->server - 64, server->host, server->address, server->port);
}

static void connect_to_target(struct database *database)
{
    const struct database_options *options = database->options;
    const struct server *server = &database->target;
    char password[PASSWORD_SIZE];

    if (password_read(options->password, options->password_file, password, NULL) != 0) {
        database_lose(database, "DB_PASSWORD_FILE is no readable regular file of up to 1023 bytes");
        return;
    }
    const struct connection_options connection_options = {
        .host = server->host,
        .address = server->address,
        .port = server->port,
        .user = options->user,
        .password = password[0] == '\0' ? NULL : password,
        .database = options->name,
        .ssl_mode = options->ssl_mode,
        .ssl_root = options->ssl_root,
        .unacknowledged_ms = options->query_timeout_ms,
    };
    database->state = CONNECTING;
    database->connection = connection_open(&connection_options);
    explicit_bzero(password, sizeof password);
    if (database->connection == NULL)
        database_lose(database, "out of memory");
    else if (connection_socket(database->connection) < 0)
        database_lose(database, connection_error(database->connection));
    else if (database_watch(database) != 0)
        database_lose(database, "the database's socket cannot be watched");
}

static void lose_name(struct database *database, const char *name, const char *error)
{
    char reason[256];
    snprintf(reason, sizeof reason, "DB_HOST %.120s: %.100s", name, error);
    database_lose(database, reason);
}

void database_begin_attempt(struct database *database)
{
    database->deadline_ms = clock_monotonic_ms() + database->options->connect_timeout_ms;
    database->created = false;
    database->session_changed = false;
    database->witnessed = false;
    database->server[0] = '\0';
    database->state = RESOLVING;
    switch (servers_next(database->servers, &database->target)) {
    case SERVERS_FOUND:
        name_server(database, &database->target);
        connect_to_target(database);
        break;
    case SERVERS_LOOKING_UP:
        break;
    case SERVERS_FAILED:
        lose_name(database, database->target.host, database->target.error);
        break;
    }
}

void database_on_name(void *context)
{
    struct database *database = context;
    if (database->state == RESOLVING)
        database_begin_attempt(database);
}

/* A pooler in session mode may have only the one session for us. */
static void go_on_without_witness(struct database *database)
{
    database_end_witness(database);
    database->deadline_ms = clock_monotonic_ms() + database->options->connect_timeout_ms;
}

void database_attempt_overdue(struct database *database)
{
    static const char *const stages[] = {
        [CONNECTING] = "no connection in time",
        [CHECKING] = "no answer in time",
        [CREATING] = "no schema in time",
        [REGISTERING] = "no registration in time",
        [PREPARING] = "no prepared statements in time",
    };

    if (database->state == RESOLVING)
        lose_name(database, servers_skip(database->servers), "not looked up in time");
    else if (database->witness != NULL)
        go_on_without_witness(database);
    else
        database_lose(database, stages[database->state]);
}

static void run_script(struct database *database, enum database_state state, const char *sql)
{
    database->state = state;
    database->answered = false;
    if (connection_send_script(database->connection, sql) != 0)
        database->broken = true;
}

void database_connected(struct database *database)
{
    char sql[SCHEMA_SQL_SIZE];
    /* The server gives up before we do, so that nothing of ours is left running there. */
    schema_check_sql(sql, database->options->query_timeout_ms * 4 / 5);
    run_script(database, CHECKING, sql);
}

static void register_writer(struct database *database)
{
    char sql[SCHEMA_SQL_SIZE];

    schema_register_sql(sql, database->ledger.writer, ledger_new_key(&database->ledger),
                        database->ledger.highest);
    run_script(database, REGISTERING, sql);
}

static void prepare(struct database *database)
{
    char sql[SCHEMA_SQL_SIZE];
    schema_prepare_sql(sql, database->ledger.writer, database->ledger.slot);
    run_script(database, PREPARING, sql);
}

static void create_schema(struct database *database, const char *sql)
{
    if (database->created) {
        database_lose(database, "the counter's row is missing and cannot be made");
        return;
    }
    log_info("making the schema", NULL);
    database->created = true;
    run_script(database, CREATING, sql);
}

static void say_what_is_lost(const struct ledger *ledger, enum ledger_history history)
{
    if (history == LEDGER_BEHIND)
        log_error("the database has lost numbers that were given",
                  LOG_FIELDS(log_integer("from", ledger->found_count + 1),
                             log_integer("to", ledger->highest)));
    else
        log_error("the database is not as it was left: numbers that were given may be lost",
                  LOG_FIELDS(log_integer("count", ledger->found_count)));
}

/* The registration has raised the count to the highest number that is known here. Before counting
 * on, other replicas, which have lost the same database, get time to do so too. */
static void wait_for_others(struct database *database)
{
    servers_prefer(database->servers);
    database_lose(database, "waiting for other replicas to raise the count");
    database->deadline_ms = clock_monotonic_ms() + HISTORY_PAUSE_MS;
    database->has_waited = true;
    database->waited_ticket = database->ledger.found;
}

static void outlive_history(struct database *database, enum ledger_history history)
{
    say_what_is_lost(&database->ledger, history);
    database->histories_lost++;
    if (ledger_adopt(&database->ledger))
        database->callbacks->batch_resolved(database->context, LEDGER_UNKNOWN, 0);
    wait_for_others(database);
}

static void go_on(struct database *database)
{
    database->confirmed_ms = clock_monotonic_ms();
    prepare(database);
}

/* Once for each loss. */
static bool has_to_wait(const struct database *database)
{
    return !database->has_waited && database->ledger.found != database->waited_ticket;
}

static void registered(struct database *database)
{
    enum ledger_history history = ledger_compare(&database->ledger);

    if (!database->answered)
        create_schema(database, schema_create_sql);
    else if (history == LEDGER_BEHIND || history == LEDGER_CHANGED)
        outlive_history(database, history);
    else if (history == LEDGER_FORGOTTEN && has_to_wait(database))
        wait_for_others(database);
    else
        go_on(database);
}

void database_end_witness(struct database *database)
{
    connection_close(database->witness);
    database->witness = NULL;
}

/* A pooler tells a process of its own making. Whether it keeps the session for this connection is
 * seen on a second one, which is not to get the same. The first then stands idle until the second
 * is set up, and is not watched. */
static void begin_witness(struct database *database)
{
    database_unwatch(database);
    database->witnessed = true;
    database->witness = database->connection;
    database->connection = NULL;
    memcpy(database->witness_session, database->session, sizeof database->witness_session);
    connect_to_target(database);
}

static bool is_pooled(const struct database *database)
{
    return strtoll(database->session, NULL, 10) != connection_process(database->connection);
}

static void checked(struct database *database)
{
    bool shared =
        database->witness != NULL && strcmp(database->session, database->witness_session) == 0;

    database_end_witness(database);
    if (shared)
        database_lose(database, database_session_shared);
    else if (database->unwritable[0] != '\0')
        database_lose(database, database->unwritable);
    else if (!database->witnessed && is_pooled(database))
        begin_witness(database);
    else if (!database->schema_there)
        create_schema(database, schema_create_sql);
    else if (!database->parked_there)
        create_schema(database, schema_create_parked_sql);
    else
        register_writer(database);
}

static void compare_session(struct database *database, const char *session)
{
    if (session == NULL || strcmp(session, database->session) != 0)
        database->session_changed = true;
}

void database_setup_row(struct database *database, const struct connection_result *row)
{
    if (database->state == CHECKING && row->columns == 4) {
        database->schema_there = connection_boolean(row, 0);
        database->parked_there = connection_boolean(row, 1);
        snprintf(database->unwritable, sizeof database->unwritable, "%s",
                 row->values[2] == NULL ? "" : row->values[2]);
        snprintf(database->session, sizeof database->session, "%s",
                 row->values[3] == NULL ? "" : row->values[3]);
    } else if (database->state == REGISTERING && row->columns == 2) {
        ledger_found(&database->ledger, connection_integer(row, 0));
        compare_session(database, row->values[1]);
    } else if (database->state == REGISTERING && row->columns == 3) {
        database->answered = true;
        ledger_registered(&database->ledger, (int)connection_integer(row, 0),
                          connection_integer(row, 1), connection_integer(row, 2));
    } else if (database->state == PREPARING) {
        compare_session(database, row->values[0]);
    }
}

bool database_script_done(struct database *database)
{
    if (database->session_changed) {
        database_lose(database, database_session_shared);
        return false;
    }
    switch (database->state) {
    case CHECKING:
        checked(database);
        break;
    case CREATING:
        register_writer(database);
        break;
    case REGISTERING:
        registered(database);
        break;
    case PREPARING:
        return true;
    default:
        break;
    }
    return false;
}
