/* database_internal.h - what database.c and database_setup.c share; for no one else. */
#ifndef PINGPONG_DATABASE_INTERNAL_H
#define PINGPONG_DATABASE_INTERNAL_H

#include "backoff.h"
#include "connection.h"
#include "database.h"
#include "ledger.h"
#include "query_queue.h"
#include "resolver.h"

enum database_state {
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

    enum database_state state;
    int64_t deadline_ms; /* of the attempt; in WAITING, when it begins */
    struct backoff backoff;
    bool created;  /* the schema, in this attempt */
    bool answered; /* the script under way gave the row that was asked for */
    bool schema_there;
    bool wants_trim; /* registering anew would make the ledger much smaller */

    struct ledger ledger;
    struct query_queue queries; /* under way, at most one of each kind */
    int64_t count;              /* what the query whose end is still to come gave */
    int64_t proof_ms;           /* the last answer */
    int64_t touch_ms;           /* the next touch */

    bool was_ready;
    uint64_t reconnects;
    uint64_t histories_lost;
    char last_error[256]; /* what was logged, so that it is logged once */
};

/* Ends the attempt or the connection; the next attempt comes after a pause. */
void database_lose(struct database *database, const char *reason);

/* Watches the connection's present socket for its present events. Returns 0, or -1 with errno. */
MUST_CHECK int database_watch(struct database *database);

/* The setup: each is one move from WAITING towards READY, or database_lose(). */
void database_begin_attempt(struct database *database, int64_t now_ms);
resolver_callback database_on_addresses;
void database_connected(struct database *database);

/* A script has ended. Returns true if it was the last one: the connection can be READY. */
bool database_script_done(struct database *database);

#endif
