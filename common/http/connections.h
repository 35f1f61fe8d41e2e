/* http/connections.h - which connections are open, and who owes something on each.
 *
 * The HTTP library has one timeout, for silence: it does not stop a client that sends a byte now
 * and then, it cannot tell the wait for a next request from that for the rest of one, and at its
 * connection limit it stops accepting. So connections are watched here, and shut down
 *
 * - when a head, a body or the taking of an answer needs longer than the request timeout;
 * - before a first request sooner than between two (FIRST_IDLE_MAX_MS);
 * - when the client has sent more and the library does not read it (0.9: after a chunk's size that
 *   fills its memory), or has gone and the library does not see it;
 * - over the cap: the one on which the client has been the one to act for longest. Only a request
 *   that we owe an answer to is safe from that.
 *
 * One thread.
 */
#ifndef COMMON_HTTP_CONNECTIONS_H
#define COMMON_HTTP_CONNECTIONS_H

#include "attributes.h"
#include "http/head.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections beyond the cap for the moment in which the evicted ones are still closing. */
#define HTTP_CONNECTIONS_RESERVE 32

struct http_connections;

/* Of one connection. The first group is this module's, the second the server's. */
struct http_connection {
    struct http_connection *previous, *next; /* in one of two lists, oldest since_ms first */
    int fd;
    bool busy;            /* we owe an answer, or the client has to take it */
    bool used;            /* a request was completed on it */
    bool shut_down;       /* the library will notice and close it */
    int64_t since_ms;     /* accepted, or a request completed */
    int64_t receiving_ms; /* a head is there and its body is not; 0: no */
    int64_t sending_ms;   /* the client has to take an answer since then; 0: no */
    int64_t look_ms;      /* when to look whether a head has begun */
    int64_t partial_ms;   /* when one was seen to have begun; 0: none was */
    uint64_t stuck_bytes; /* taken when it was last seen to have left some */
    unsigned stuck_looks; /* in a row at which it had left some and taken nothing more */

    struct MHD_Connection *library;
    struct http_request *request; /* that has begun and not ended, or NULL */
    struct http_fault fault;      /* of the request's target, seen before its head was */
    const char *memory;           /* of the library's, in which heads begin; NULL: not known */
    const char *target;           /* in the same */
    size_t target_bytes;          /* with its end, while the head is received; 0: none is */
    size_t argument_bytes;        /* what the library keeps for its arguments */
    uint64_t announced_bytes;     /* the length of the request's body, if it was announced */
    bool chunked;                 /* its body comes in chunks */
    uint64_t earlier_bytes;       /* of all heads and bodies so far */
    bool refused;                 /* its last answer is a refusal: it is to be lingered on */
};

struct http_connections_options {
    unsigned maximum; /* that stay open */
    int64_t idle_timeout_ms;
    int64_t request_timeout_ms;
    /* Told of a connection that has ended, before its descriptor is closed. */
    void (*on_ended)(void *context, struct http_connection *connection);
    /* Told of one that is shut down because the library does not read what came. */
    void (*on_stuck)(void *context, struct http_connection *connection);
    void *context;
};

/* Returns NULL if out of memory. */
MUST_CHECK struct http_connections *
http_connections_create(const struct http_connections_options *options);

/* Accepts NULL. Call it after the library's daemon was stopped. */
void http_connections_destroy(struct http_connections *connections);

/* The limit to give the library: some above the cap, for the time until evicted ones are gone. */
unsigned http_connections_library_limit(const struct http_connections *connections);

unsigned http_connections_maximum(const struct http_connections *connections);
unsigned http_connections_count(const struct http_connections *connections);

/* The library's MHD_OPTION_NOTIFY_CONNECTION callback; `context` is the struct http_connections. */
void http_connections_notify(void *context, struct MHD_Connection *connection, void **slot,
                             enum MHD_ConnectionNotificationCode code);

/* The entry of an open connection; NULL if there was no memory for one. */
struct http_connection *http_connections_find(struct MHD_Connection *connection);

/* Calls back for each open connection on which we owe no answer, the one that was used last first,
 * for as long as the callback returns true. */
void http_connections_each_idle(struct http_connections *connections,
                                bool (*visit)(void *context, struct http_connection *connection),
                                void *context);

struct http_connection_reading {
    uint64_t taken_bytes; /* by the library, since the connection was accepted */
    uint32_t silent_ms;   /* for how long the client has sent nothing; to some milliseconds */
    bool is_all;          /* nothing more can come: the client has closed, and all was read */
    bool is_answered;     /* something was sent */
};

/* Returns 0, or -1 with errno. */
MUST_CHECK int http_connection_read_reading(const struct http_connection *connection,
                                            struct http_connection_reading *reading);

/* Whether the library has read more than whole requests. */
bool http_connection_has_begun_head(const struct http_connection *connection,
                                    const struct http_connection_reading *reading);

/* A head has come. */
void http_connections_receive(struct http_connection *connection, int64_t now_ms);

/* We owe an answer from now on: nothing pushes the connection out. */
void http_connections_hold(struct http_connections *connections,
                           struct http_connection *connection);

/* The answer is there, and the client has to take it. */
void http_connections_send(struct http_connections *connections, struct http_connection *connection,
                           int64_t now_ms);

/* A request has been completed. */
void http_connections_end_request(struct http_connections *connections,
                                  struct http_connection *connection, int64_t now_ms);

/* Shuts down what is overdue. Returns when to call it again, or INT64_MAX if nothing is open. */
int64_t http_connections_sweep(struct http_connections *connections, int64_t now_ms);

/* Shuts down what is stuck: what came on it is not read, however often the library runs. May be
 * called at any time after a run of the library. */
void http_connections_sweep_stuck(struct http_connections *connections, int64_t now_ms);

#endif
