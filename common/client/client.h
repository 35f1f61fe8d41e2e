/* client/client.h - asks another service over HTTP, without ever blocking the loop.
 *
 * A bounded pool of kept-alive connections, and a bounded queue of calls that wait for one of them.
 * Each call has one deadline, waiting included, and is answered exactly once. A Service balances
 * connections, not requests, so connections are replaced when they reach an age, and, where that is
 * wanted, chosen and replaced such that each replica behind the address gets its share (balance.h).
 * One that its server may be closing, because it has been idle for nearly as long as the server
 * says that it keeps one, or as the shortest usual time (Node.js: 5 s), is not used again. Nothing
 * repeats a request, libcurl's own retry on a kept-alive connection that was closed included: the
 * call then ends as CLIENT_CONNECTION_LOST. Redirects are not followed, proxies not used.
 *
 * With client/url.c the only module that knows libcurl. Everything belongs to the loop's thread.
 */
#ifndef COMMON_CLIENT_CLIENT_H
#define COMMON_CLIENT_CLIENT_H

#include "attributes.h"
#include "client/addresses.h"
#include "client/result.h"
#include "client/url.h"
#include "event_loop.h"
#include "trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_BODY_MAX_BYTES_DEFAULT 512

/* Headers of an answer that a caller can ask for, and how much of each is kept. */
#define CLIENT_HEADERS_MAX 8
#define CLIENT_HEADER_SIZE 256

struct client;

struct client_answer {
    enum client_result result;
    bool was_sent;    /* false: the other side surely never saw any of the request */
    long status;      /* CLIENT_OK, CLIENT_BAD_STATUS */
    const char *body; /* CLIENT_OK, CLIENT_BAD_STATUS: zero-terminated; else empty */
    size_t length;
    const char *const *headers; /* the values of those asked for: "" where there is none, cut where
                                   long; NULL unless CLIENT_OK or CLIENT_BAD_STATUS */
    int replica;                /* who gave the answer, for client_request.avoid; or unknown */
    int64_t duration_ns;        /* since client_send() */
};

/* What is asked; all that it points at is borrowed until the call is answered. */
struct client_request {
    const char *url;            /* of the same host; NULL: the client's */
    const char *body;           /* NULL: GET; else POST, as application/json */
    const struct trace *trace;  /* the span that it is under; NULL: a new trace. Copied */
    const char *const *lines;   /* more header lines, "name: value"; NULL-terminated, or NULL */
    int64_t connect_timeout_ms; /* 0: the client's */
    int64_t weight;             /* how many requests this stands for, to balance by; 0: one */
    bool is_repeated;           /* of one that failed: takes no new connection if there is another,
                                   and another replica than `avoid`, if any is known */
    int avoid;
};

/* `answer` is borrowed until it returns. */
typedef void client_callback(void *context, const struct client_answer *answer);

/* Says whether anyone still waits for the answer to the call with this context. */
typedef bool client_is_wanted(void *context);

/* The call with this context has its turn, and is about to be sent. */
typedef void client_started(void *context);

struct client_options {
    const char *url;                    /* of client_get(); borrowed */
    const struct client_url *host;      /* its host and port; borrowed */
    struct client_addresses *addresses; /* of the host; borrowed */
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* of a call, in all */
    int64_t connections_max;
    int64_t queue_max;
    int64_t connection_age_ms;   /* 0: each request has a connection of its own */
    client_is_wanted *is_wanted; /* asked when a call's turn has come; NULL: always */
    client_started *started;     /* told each call whose turn has come and is sent; NULL: no one */
    const char *accept;          /* the Accept header's value, borrowed; NULL: application/json */
    size_t body_max_bytes;       /* a longer body is CLIENT_NONSENSE; 0: the default */
    const char *const *headers;  /* names to be kept of each answer, borrowed; NULL: none */
    size_t header_count;         /* at most CLIENT_HEADERS_MAX */
    bool is_balanced;            /* makes more connections than it needs, see balance.h */
    const char *replica_header;  /* one of `headers`, whose value tells replicas apart, or NULL */
};

/* Once, before anything else here and before threads; `secure` if https will be spoken. Returns 0
 * or -1. */
MUST_CHECK int client_global_init(bool secure);
void client_global_cleanup(void);

/* Returns 0 and sets *client, owned by the caller, or -1 if out of memory. */
MUST_CHECK int client_create(struct client **client, struct event_loop *loop,
                             const struct client_options *options);

/* Accepts NULL. Calls that are not answered are forgotten: their callbacks are not called. */
void client_destroy(struct client *client);

/* Sends a request. `callback` is called once: in a later step of the loop, or at once if the call
 * is refused. Add the step of whoever calls this (http_server_create() adds one) before
 * client_create() adds its own: then the request leaves in the same pass. */
void client_send(struct client *client, const struct client_request *request,
                 client_callback *callback, void *context);

/* GETs the client's URL as part of the trace `parent`, or of a new one if that is NULL. */
void client_get(struct client *client, const struct trace *parent, client_callback *callback,
                void *context);

/* Whether a call that is made now is sent in the next step, without waiting for its turn. */
bool client_is_free(const struct client *client);

/* No address is known for the host yet: the first look-up has not ended. */
bool client_is_resolving(const struct client *client);

/* How many calls wait for a connection. */
size_t client_queue_length(const struct client *client);

#endif
