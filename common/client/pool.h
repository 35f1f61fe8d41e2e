/* client/pool.h - the connections of a client, and which of them the next request takes.
 *
 * Part of client. Everything belongs to the loop's thread.
 */
#ifndef COMMON_CLIENT_POOL_H
#define COMMON_CLIENT_POOL_H

#include "attributes.h"
#include "client/client.h"
#include "client/multi.h"
#include "client/transfer.h"

#include <stdbool.h>
#include <stdint.h>

struct client_pool;

struct client_connection {
    struct client_transfer *transfer;

    /* The pool's. */
    bool in_use;
    bool is_open; /* as far as is known */
    int64_t opened_ms;
    int64_t used_ms; /* last */
    int64_t idle_ms; /* after which it may not be used again */
    int replica;     /* at its other end */
    int64_t weight;  /* of the request */

    /* Whoever has taken it may use these. */
    struct client_connection *previous, *next;
    void *owner;
};

/* All arguments are borrowed. Returns NULL if out of memory. */
MUST_CHECK struct client_pool *client_pool_create(struct client_multi *multi,
                                                  const struct client_options *options);

/* Accepts NULL. None may be in use. */
void client_pool_destroy(struct client_pool *pool);

/* Takes a connection for the request, or returns NULL if all are in use (or out of memory). */
struct client_connection *client_pool_take(struct client_pool *pool,
                                           const struct client_request *request, int64_t now_ms);

/* Gives it back, with how the request ended, and fills in who answered. Its transfer must not run
 * any more. */
void client_pool_give_back(struct client_pool *pool, struct client_connection *connection,
                           struct client_answer *answer, int64_t now_ms);

#endif
