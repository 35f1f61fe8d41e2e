/* http/server.h - an HTTP/1.1 server on an event loop; the only module that knows libmicrohttpd.
 *
 * Routes are a table. A handler is called once a request is complete (its body has been read, and
 * discarded unless the route asks for it) and either answers at once or keeps the request and
 * answers later from the same thread; until then the connection waits without cost to others. A
 * request that a handler was given must be answered exactly once, also when its client has gone.
 *
 * The server answers by itself: 404 for a path that is not in the table, 405 with Allow for a
 * method that the route does not take, 413 for a body that is too large, 400, 414, 431 and 501 for
 * what http/refusal.h refuses, 200 for OPTIONS *. HEAD is accepted wherever the route says
 * HTTP_HEAD; its answer carries no body.
 *
 * Limits: connections are capped, by the settings and by what open files and memory the process may
 * have; over the cap the one that has been idle longest is closed to
 * make room. A connection on which no request has been completed for idle + request timeout is
 * closed, whatever it sends meanwhile.
 *
 * Everything belongs to the loop's thread.
 */
#ifndef COMMON_HTTP_SERVER_H
#define COMMON_HTTP_SERVER_H

#include "attributes.h"
#include "event_loop.h"
#include "http/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cJSON;

/* A larger body is refused; a smaller one is read and, unless the route asks for it, ignored. */
#define HTTP_BODY_MAX_BYTES 65536

/* Bytes that a handler may use as it likes while it keeps a request. */
#define HTTP_REQUEST_STATE_BYTES 64

enum http_method { HTTP_GET = 1, HTTP_HEAD = 2, HTTP_POST = 4 };

struct http_server;
struct http_request;

typedef void http_handler(void *context, struct http_request *request);

struct http_route {
    const char *path; /* compared whole, without the query; also the metrics' label */
    unsigned methods; /* enum http_method, or-ed */
    http_handler *handler;
    size_t body_max_bytes; /* of the body, which the handler wants; 0: it does not */
};

/* A list of these ends with one whose name is NULL. */
struct http_header {
    const char *name, *value;
};

struct http_server_options {
    uint16_t port;
    int64_t connections_max;         /* fewer if open files or memory do not suffice for as many */
    int64_t outgoing_max;            /* connections that the program makes, which are files too */
    size_t connection_bytes;         /* for a request's head and its answer's */
    int64_t idle_timeout_ms;         /* between two requests of a connection */
    int64_t request_timeout_ms;      /* from a request's first byte to its answer's last */
    bool access_log;                 /* one log line a request */
    bool show_identity;              /* every answer says by its headers who gave it */
    const char *instance;            /* the name for that; NULL: the host's */
    const struct http_route *routes; /* borrowed for the server's life */
    size_t route_count;
    void *context; /* handed to every handler */
};

/* Listens on all addresses (IPv6 and IPv4 where there is IPv6) and serves from the loop's next
 * pass. Returns 0 and sets *server, owned by the caller, or -1 after logging why. */
MUST_CHECK int http_server_create(struct http_server **server, struct event_loop *loop,
                                  const struct http_server_options *options);

/* Ends the server; connections that are open are closed. Accepts NULL. Requests still kept by
 * handlers are freed: they must not be touched afterwards. Call it before the loop is destroyed
 * and after the loop has ended. */
void http_server_destroy(struct http_server *server);

/* From now on every answer asks its client to close the connection. */
void http_server_drain(struct http_server *server);

/* Accepts what is queued at the listening socket, then closes it. */
void http_server_stop_listening(struct http_server *server);

/* How many requests have begun and are not fully answered. */
unsigned http_server_active_requests(const struct http_server *server);

/* What answers say of who gave them; nothing known if they do not. */
const struct http_answerer *http_server_answerer(const struct http_server *server);

/* Writes http_requests_total, http_request_duration_seconds, http_requests_active,
 * http_connections and http_connections_max. */
void http_server_write_metrics(const struct http_server *server, FILE *out);

/* HTTP_REQUEST_STATE_BYTES, aligned for any type, zeroed when the request begins. */
void *http_request_state(struct http_request *request);

/* The value of a header, or NULL; borrowed until the request is answered. */
const char *http_request_header(struct http_request *request, const char *name);

/* The body, where the route asks for it; borrowed until the request is answered. May hold any
 * bytes, and has no terminator. */
const char *http_request_body(const struct http_request *request, size_t *length);

/* When the request's head had come, as clock_monotonic_ns() counts. */
int64_t http_request_started_ns(const struct http_request *request);

/* The client has gone: an answer will reach no one. */
bool http_request_is_abandoned(const struct http_request *request);

/* Answers. `body` is copied; `content_type` is borrowed for ever (a literal). Answers of 500 and
 * more carry Retry-After: 1 where the status is 503; none is cached. */
void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  const char *body, size_t length);

/* As http_respond(), with a body that is borrowed for ever. */
void http_respond_constant(struct http_request *request, unsigned status, const char *content_type,
                           const char *body, size_t length);

/* Gives the answer headers of its own besides the usual ones. Call it before answering; the list is
 * borrowed for ever. */
void http_request_set_headers(struct http_request *request, const struct http_header *headers);

/* Answers 200 with what `write` writes, or 500 if there is no memory for it. */
void http_respond_written(struct http_request *request, const char *content_type,
                          void (*write)(const void *context, FILE *out), const void *context);

/* Answers with a zero-terminated text as text/plain, or with {"error":"message"}. */
void http_respond_text(struct http_request *request, unsigned status, const char *text);
void http_respond_error(struct http_request *request, unsigned status, const char *message);

/* Answers with the object as application/json, and deletes it; with 500 if it is NULL or there is
 * no memory for its text. */
void http_respond_json(struct http_request *request, unsigned status, struct cJSON *object);

#endif
