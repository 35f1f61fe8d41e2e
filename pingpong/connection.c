#include "connection.h"

#include "log.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ERROR_BYTES 512

/* PostgreSQL's error code "invalid_sql_statement_name". */
#define NO_SUCH_STATEMENT "26000"

struct connection {
    PGconn *pg;
    enum connection_status status;
    uint32_t events;
    bool pipelined;
    int unanswered;   /* scripts or prepared statements sent and not yet CONNECTION_DONE */
    PGresult *result; /* the one whose values were handed out last */
    bool doubted;     /* the server has warned of what is under way */
    bool misses_statement;
    char error[ERROR_BYTES];
};

static void note_error(struct connection *connection, const char *message)
{
    snprintf(connection->error, sizeof connection->error, "%s", message);
    for (char *c = connection->error; *c != '\0'; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    size_t length = strlen(connection->error);
    while (length > 0 && connection->error[length - 1] == ' ')
        connection->error[--length] = '\0';
}

/* That transaction numbers run out says nothing of what is being done. */
static bool is_about_transaction_numbers(const PGresult *notice)
{
    const char *file = PQresultErrorField(notice, PG_DIAG_SOURCE_FILE);
    return file != NULL && (strcmp(file, "varsup.c") == 0 || strcmp(file, "multixact.c") == 0);
}

/* A server can warn and then report success: after a wait for a standby that was cancelled the
 * commit is there, and may be gone after a failover. So whatever it warns of is not taken for done.
 */
static void on_notice(void *context, const PGresult *notice)
{
    struct connection *connection = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

    log_debug("database notice", LOG_FIELDS(log_string("detail", PQresultErrorMessage(notice))));
    if (connection->unanswered == 0 || severity == NULL || strcmp(severity, "WARNING") != 0 ||
        is_about_transaction_numbers(notice))
        return;
    connection->doubted = true;
    note_error(connection, PQresultErrorMessage(notice));
}

/* The library begins with the server's address, of which the caller knows more: its name. */
static const char *reason_of(const char *message)
{
    static const char end[] = " failed: ";
    const char *reason =
        strncmp(message, "connection to server ", 21) == 0 ? strstr(message, end) : NULL;
    return reason == NULL ? message : reason + sizeof end - 1;
}

static int lose(struct connection *connection)
{
    note_error(connection, reason_of(PQerrorMessage(connection->pg)));
    connection->status = CONNECTION_LOST;
    return -1;
}

bool connection_knows_system_roots(void)
{
    return PQlibVersion() >= 160000;
}

static PGconn *start(const struct connection_options *options)
{
    char unacknowledged[24];
    snprintf(unacknowledged, sizeof unacknowledged, "%" PRId64, options->unacknowledged_ms);

    const char *const names[] = {"host",
                                 "hostaddr",
                                 "port",
                                 "user",
                                 "password",
                                 "dbname",
                                 "sslmode",
                                 "sslrootcert",
                                 "application_name",
                                 "client_encoding",
                                 "gssencmode",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 NULL};
    /* GSS encryption could wait on a ticket server. */
    const char *const values[] = {options->host,
                                  options->address,
                                  options->port,
                                  options->user,
                                  options->password,
                                  options->database,
                                  options->ssl_mode,
                                  options->ssl_root,
                                  "pingpong",
                                  "UTF8",
                                  "disable",
                                  "5",
                                  "2",
                                  "3",
                                  unacknowledged,
                                  NULL};
    return PQconnectStartParams(names, values, 0);
}

struct connection *connection_open(const struct connection_options *options)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->pg = start(options);
    if (connection->pg == NULL) {
        free(connection);
        return NULL;
    }
    PQsetNoticeReceiver(connection->pg, on_notice, connection);
    connection->status = CONNECTION_CONNECTING;
    connection->events = EPOLLOUT;
    if (PQstatus(connection->pg) == CONNECTION_BAD)
        (void)lose(connection);
    return connection;
}

void connection_close(struct connection *connection)
{
    if (connection == NULL)
        return;
    PQclear(connection->result);
    PQfinish(connection->pg);
    free(connection);
}

int connection_socket(const struct connection *connection)
{
    return PQsocket(connection->pg);
}

uint32_t connection_events(const struct connection *connection)
{
    return connection->events;
}

static int flush(struct connection *connection)
{
    int left = PQflush(connection->pg);
    if (left < 0)
        return lose(connection);
    connection->events = left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
    return 0;
}

static enum connection_status advance_connecting(struct connection *connection)
{
    switch (PQconnectPoll(connection->pg)) {
    case PGRES_POLLING_OK:
        if (PQsetnonblocking(connection->pg, 1) != 0) {
            (void)lose(connection);
            break;
        }
        connection->status = CONNECTION_OPEN;
        connection->events = EPOLLIN;
        break;
    case PGRES_POLLING_READING:
        connection->events = EPOLLIN;
        break;
    case PGRES_POLLING_WRITING:
        connection->events = EPOLLOUT;
        break;
    default:
        (void)lose(connection);
        break;
    }
    return connection->status;
}

enum connection_status connection_advance(struct connection *connection)
{
    if (connection->status == CONNECTION_CONNECTING)
        return advance_connecting(connection);
    if (connection->status == CONNECTION_LOST)
        return CONNECTION_LOST;
    if (PQconsumeInput(connection->pg) != 1)
        (void)lose(connection);
    else if (connection->events & EPOLLOUT)
        (void)flush(connection);
    return connection->status;
}

static struct connection_result first_row(struct connection *connection)
{
    struct connection_result out = {.kind = CONNECTION_NO_ROW};

    if (PQntuples(connection->result) == 0)
        return out;
    out.kind = CONNECTION_ROW;
    out.columns = PQnfields(connection->result);
    for (int i = 0; i < out.columns && i < CONNECTION_COLUMNS_MAX; i++)
        if (!PQgetisnull(connection->result, 0, i))
            out.values[i] = PQgetvalue(connection->result, 0, i);
    return out;
}

static struct connection_result done(struct connection *connection)
{
    connection->unanswered--;
    return (struct connection_result){.kind = connection->doubted ? CONNECTION_FAILED
                                                                  : CONNECTION_DONE};
}

static struct connection_result failed(struct connection *connection)
{
    const char *code = PQresultErrorField(connection->result, PG_DIAG_SQLSTATE);

    note_error(connection, PQresultErrorMessage(connection->result));
    connection->misses_statement = code != NULL && strcmp(code, NO_SUCH_STATEMENT) == 0;
    return (struct connection_result){.kind = CONNECTION_FAILED};
}

struct connection_result connection_next(struct connection *connection)
{
    struct connection_result nothing = {.kind = CONNECTION_NOTHING};

    PQclear(connection->result);
    connection->result = NULL;
    while (connection->status == CONNECTION_OPEN && connection->unanswered > 0 &&
           !PQisBusy(connection->pg)) {
        connection->result = PQgetResult(connection->pg);
        if (connection->result == NULL) {
            /* The end of a script; in a pipeline, of a statement whose sync is still to come. */
            if (!connection->pipelined)
                return done(connection);
            continue;
        }
        switch (PQresultStatus(connection->result)) {
        case PGRES_TUPLES_OK:
            return first_row(connection);
        case PGRES_COMMAND_OK:
            return (struct connection_result){.kind = CONNECTION_NO_ROW};
        case PGRES_PIPELINE_SYNC:
            return done(connection);
        default:
            return failed(connection);
        }
    }
    return nothing;
}

int64_t connection_integer(const struct connection_result *row, int column)
{
    return row->values[column] == NULL ? 0 : strtoll(row->values[column], NULL, 10);
}

bool connection_boolean(const struct connection_result *row, int column)
{
    return row->values[column] != NULL && strcmp(row->values[column], "t") == 0;
}

const char *connection_error(struct connection *connection)
{
    return connection->error;
}

int connection_process(const struct connection *connection)
{
    return PQbackendPID(connection->pg);
}

bool connection_misses_statement(const struct connection *connection)
{
    return connection->misses_statement;
}

int connection_send_script(struct connection *connection, const char *sql)
{
    if (PQsendQuery(connection->pg, sql) != 1)
        return lose(connection);
    connection->unanswered++;
    return flush(connection);
}

int connection_begin_pipeline(struct connection *connection)
{
    if (PQenterPipelineMode(connection->pg) != 1)
        return lose(connection);
    connection->pipelined = true;
    return 0;
}

int connection_send_prepared(struct connection *connection, const char *statement, int count,
                             const char *const *parameters)
{
    if (PQsendQueryPrepared(connection->pg, statement, count, parameters, NULL, NULL, 0) != 1 ||
        PQpipelineSync(connection->pg) != 1)
        return lose(connection);
    connection->unanswered++;
    return flush(connection);
}
