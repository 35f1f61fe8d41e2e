/* database.h - the counter in PostgreSQL: connected, reconnected, and asked.
 *
 * Keeps one connection, makes or migrates the schema, registers this process as a writer (see
 * schema.h) and checks once a second of silence that the database still does the work, which for
 * one with synchronous standbys means that it can still commit. At most one batch and one read are
 * under way at a time. Everything belongs to the loop's thread; nothing waits.
 */
#ifndef PINGPONG_DATABASE_H
#define PINGPONG_DATABASE_H

#include "attributes.h"
#include "event_loop.h"
#include "ledger.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct database;

struct database_options {
    const char *hosts; /* lists, as host_list.h has them */
    const char *ports;
    const char *user;
    const char *password;      /* or NULL */
    const char *password_file; /* or NULL; read anew for each connection, so it may change */
    const char *name;
    const char *ssl_mode;
    const char *ssl_root;       /* as connection.h has it */
    int64_t connect_timeout_ms; /* for a name; for an address, until the connection is ready */
    int64_t query_timeout_ms;   /* for an answer; then the connection counts as lost */
};

/* Called from the loop; each may send again. */
struct database_callbacks {
    /* The batch was committed; `count` is the count after it. */
    void (*batch_committed)(void *context, int64_t count);
    /* The connection was lost while a batch was under way, and by now the outcome is certain.
     * Comes before the database is ready again, once for such a batch. */
    void (*batch_resolved)(void *context, enum ledger_outcome outcome, int64_t count);
    void (*count_read)(void *context, int64_t count);
    /* The read under way gets no answer. */
    void (*read_lost)(void *context);
};

/* Begins to connect in the loop's next pass. `options` and its strings, and `callbacks`, are
 * borrowed for the database's life. Returns 0 and sets *database, owned by the caller, or -1 with
 * errno. */
MUST_CHECK int database_create(struct database **database, struct event_loop *loop,
                               const struct database_options *options,
                               const struct database_callbacks *callbacks, void *context);

/* Gives the writer's slot up, if the connection stands, and closes it. Accepts NULL. */
void database_destroy(struct database *database);

/* The database can do the work: connected, the schema there, and no answer overdue. */
bool database_is_ready(const struct database *database, int64_t now_ms);

/* Nothing of the kind is under way and the connection stands. */
bool database_can_send_batch(const struct database *database);
bool database_can_read(const struct database *database);

/* How much can still be added to the counter, as far as is known. */
int64_t database_room(const struct database *database);

/* Adds `size` to the counter. Its end is one call of batch_committed() or batch_resolved(). Only
 * after database_can_send_batch(). */
void database_send_batch(struct database *database, int64_t size);

/* Reads the counter. Its end is one call of count_read() or read_lost(). Only after
 * database_can_read(). */
void database_read(struct database *database);

/* Writes pingpong_database_up, pingpong_database_reconnects_total and
 * pingpong_history_lost_total. */
void database_write_metrics(const struct database *database, FILE *out);

#endif
