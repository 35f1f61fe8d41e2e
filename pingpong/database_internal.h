/* database_internal.h - what database.c, database_setup.c and database_queries.c share; for no one
 * else. */
#ifndef PINGPONG_DATABASE_INTERNAL_H
#define PINGPONG_DATABASE_INTERNAL_H

#include "backoff.h"
#include "connection.h"
#include "database.h"
#include "ledger.h"
#include "query_queue.h"
#include "schema.h"
#include "servers.h"

/* Room for what became of some servers; of more, the first ones are told of. */
#define DATABASE_FAILURES_SIZE 1024

/* How often the writer's slot is confirmed; several times within its expiry. */
#define DATABASE_TOUCH_INTERVAL_MS (SCHEMA_WRITER_EXPIRY_S * 1000 / 10)

enum database_state {
    WAITING,   /* for the time of the next attempt */
    RESOLVING, /* a host's name */
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
    struct servers *servers;
    struct connection *connection; /* NULL: none */
    int socket;                    /* watched, or -1 */
    uint32_t events;
    bool broken; /* a send failed; dealt with where no result is being handled */

    enum database_state state;
    int64_t deadline_ms; /* of the attempt; in WAITING, when it begins */
    struct backoff backoff;
    struct server target;       /* of this attempt */
    char session[64];           /* the server's, that the last connection was set up in */
    bool session_changed;       /* a later script was executed in another one */
    struct connection *witness; /* idle beside the connection, to see whether it is given its
                                   session; or NULL */
    char witness_session[64];
    bool witnessed; /* in this attempt */
    bool created;   /* the schema, in this attempt */
    bool answered;  /* the script under way gave the row that was asked for */
    bool schema_there;
    bool parked_there;     /* the table that came later */
    bool has_waited;       /* for what others know, directly before this attempt */
    int64_t waited_ticket; /* that was found then: found again, nothing was lost since */
    bool wants_trim;       /* registering anew would make the ledger much smaller */
    char unwritable[64];   /* why the server takes no writes; "": it does */

    struct ledger ledger;
    struct query_queue queries; /* under way, at most one of each kind */
    int64_t count;              /* what the query whose end is still to come gave */
    int64_t proof_ms;           /* the last answer */
    int64_t confirmed_ms;       /* the last commit that was confirmed */
    int64_t touch_ms;           /* the next touch */

    bool was_ready;
    uint64_t reconnects;
    uint64_t histories_lost;
    char server[128];                        /* the present or last one, for messages */
    char failures[DATABASE_FAILURES_SIZE];   /* of this round's servers, with their reasons */
    char last_error[DATABASE_FAILURES_SIZE]; /* what was logged, so that it is logged once */
};

/* Ends the attempt or the connection. The next server of the round is tried at once; after the
 * last, or when a connection that was ready is lost, there is a pause before the next attempt. */
void database_lose(struct database *database, const char *reason);

/* Watches the connection's present socket for its present events. Returns 0, or -1 with errno. */
MUST_CHECK int database_watch(struct database *database);
void database_unwatch(struct database *database);

/* Why a connection is not used whose statements are executed in one session now and another then.
 */
extern const char database_session_shared[];

/* The setup: each is one move from WAITING towards READY, or database_lose(). */
void database_begin_attempt(struct database *database);
servers_callback database_on_name;
void database_connected(struct database *database);

void database_end_witness(struct database *database);

/* The attempt's time is up. */
void database_attempt_overdue(struct database *database);

/* A row of a script of the setup. */
void database_setup_row(struct database *database, const struct connection_result *row);

/* A script has ended. Returns true if it was the last one: the connection can be READY. */
bool database_script_done(struct database *database);

/* The queries on a READY connection. Asks for a sign of life after a second without one, and gives
 * the connection up if none comes. Returns when to look again. */
int64_t database_keep_alive(struct database *database, int64_t now_ms);

/* A row of the oldest query under way. */
void database_query_row(struct database *database, const struct connection_result *row);

/* The oldest query under way is complete, and so committed. */
void database_query_done(struct database *database);

/* None of those under way gets an answer any more. */
void database_drop_queries(struct database *database);

void database_send_release(struct database *database);

#endif
