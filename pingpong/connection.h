/* connection.h - one connection to PostgreSQL that never waits; the only module that knows libpq.
 *
 * The owner watches connection_socket() for connection_events() after every call, calls
 * connection_advance() when they come, and then takes results until there are none. Deadlines are
 * the owner's. One thread.
 *
 * Two ways to ask: a script (statements separated by semicolons, one round trip) while nothing
 * else is under way; and, after connection_begin_pipeline(), prepared statements that may be sent
 * before the earlier ones are answered. Answers come in order, each closed by a CONNECTION_DONE.
 */
#ifndef PINGPONG_CONNECTION_H
#define PINGPONG_CONNECTION_H

#include "attributes.h"

#include <stdbool.h>
#include <stdint.h>

#define CONNECTION_COLUMNS_MAX 4

/* The certificates that the machine trusts. */
#define CONNECTION_SYSTEM_ROOTS "system"

struct connection;

struct connection_options {
    const char *host;    /* a name, an address, or the directory of a Unix socket */
    const char *address; /* of the host, or NULL for a Unix socket */
    const char *port;
    const char *user;
    const char *password; /* or NULL */
    const char *database;
    const char *ssl_mode; /* libpq's word */
    const char *ssl_root; /* file of certificates, or CONNECTION_SYSTEM_ROOTS, or NULL */
    int64_t
        unacknowledged_ms; /* after which the kernel gives up on data that is not acknowledged */
};

enum connection_status { CONNECTION_CONNECTING, CONNECTION_OPEN, CONNECTION_LOST };

enum connection_result_kind {
    CONNECTION_NOTHING, /* not here yet */
    CONNECTION_ROW,     /* the first row of a statement's rows, in `values` */
    CONNECTION_NO_ROW,  /* a statement was executed and gave no row */
    CONNECTION_DONE,    /* a script, or a prepared statement, is complete (committed) */
    CONNECTION_FAILED,  /* the server refused a statement, or doubts it: see connection_error() */
};

struct connection_result {
    enum connection_result_kind kind;
    int columns;
    const char *values[CONNECTION_COLUMNS_MAX]; /* NULL for SQL's null; until the next call */
};

/* Whether the library, the one that runs, knows CONNECTION_SYSTEM_ROOTS: libpq does from 16 on. */
bool connection_knows_system_roots(void);

/* Begins to connect; options are copied. Returns NULL if out of memory; any other failure shows
 * as CONNECTION_LOST. */
MUST_CHECK struct connection *connection_open(const struct connection_options *options);

/* Accepts NULL. Closes the socket: end its watch first. */
void connection_close(struct connection *connection);

/* The socket and epoll events to wait for; both can change with every call below. -1: none. */
int connection_socket(const struct connection *connection);
uint32_t connection_events(const struct connection *connection);

/* Does what the socket allows. */
enum connection_status connection_advance(struct connection *connection);

/* Takes the next result. */
struct connection_result connection_next(struct connection *connection);

/* A value of the row as a number; 0 for null. */
int64_t connection_integer(const struct connection_result *row, int column);

/* A value of the row as a truth; false for null. */
bool connection_boolean(const struct connection_result *row, int column);

/* The server's or library's last message, one line; borrowed until the next call. */
const char *connection_error(struct connection *connection);

/* The number of the server's process, as it was told when the connection was made. A pooler tells
 * one that it has made up. */
int connection_process(const struct connection *connection);

/* Whether the last failure was that a prepared statement is not there. */
bool connection_misses_statement(const struct connection *connection);

/* Each returns 0, or -1 if the connection is lost. */
MUST_CHECK int connection_send_script(struct connection *connection, const char *sql);
MUST_CHECK int connection_begin_pipeline(struct connection *connection);
MUST_CHECK int connection_send_prepared(struct connection *connection, const char *statement,
                                        int count, const char *const *parameters);

#endif
