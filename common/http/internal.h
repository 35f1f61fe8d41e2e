/* http/internal.h - what the server's own modules share; for no one else. */
#ifndef COMMON_HTTP_INTERNAL_H
#define COMMON_HTTP_INTERNAL_H

#include "http/connections.h"
#include "http/identity.h"
#include "http/lingering.h"
#include "http/server.h"
#include "trace.h"

#include <microhttpd.h>
#include <stdalign.h>
#include <stddef.h>

/* Answers up to this size are kept in the request itself. */
#define INLINE_BODY_BYTES 256

enum http_phase {
    RECEIVING, /* the head has come, the body perhaps not */
    KEPT,      /* the handler owes an answer */
    ANSWERED,  /* the answer is there, the library has not fetched it */
    SENDING,   /* the library has the answer */
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_connection *entry;
    size_t route; /* route_count: none */
    unsigned method;
    bool of_server; /* OPTIONS *: it asks of no path */
    enum http_phase phase;
    bool abandoned;
    size_t body_bytes; /* received */
    char *body;        /* owned; as much of it as the route asks for, or NULL */
    int64_t started_ns;
    struct trace trace;
    bool traced;

    unsigned status;
    const char *content_type;
    size_t length;
    const struct http_header *headers; /* of its own; NULL: none */
    const char *constant_body;         /* borrowed; NULL: it is one of the next two */
    char *large_body;                  /* owned; NULL: the answer is in inline_body */
    char inline_body[INLINE_BODY_BYTES];

    /* Kept from one request to the next and used again for an answer of the same form: only the
     * bytes of inline_body differ then, and making one anew costs several allocations. */
    struct MHD_Response *response;
    unsigned response_status;
    const char *response_type;
    const struct http_header *response_headers;
    const char *response_body;
    size_t response_length;

    struct http_request *next_free;
    struct http_request *next; /* of all */
    alignas(max_align_t) unsigned char state[HTTP_REQUEST_STATE_BYTES];
};

struct http_server {
    struct http_server_options options;
    struct http_identity identity;
    struct event_loop *loop;
    struct MHD_Daemon *daemon;
    int library_epoll_fd;
    struct http_statistics *statistics;
    struct http_connections *connections;
    struct http_lingering *lingering;
    struct http_request *all, *free;
    unsigned active;       /* requests that have begun and are not fully answered */
    unsigned waiting;      /* requests that a handler keeps and whose client is there */
    unsigned passes;       /* to run without waiting */
    bool has_taken_answer; /* the library, in its last run */
    int64_t tick_ms;
    unsigned fruitless_runs; /* of the library, although it said that it could do something */
    unsigned urged_runs;     /* for which it asked since it was last looked for what is stuck */
    bool draining;
};

/* The code of an answer that was not, or not wholly, sent. */
#define HTTP_STATUS_NOT_SENT 499

/* The library's access handler, and MHD_OPTION_NOTIFY_COMPLETED; `context` is the server. */
enum MHD_Result http_request_on_library(void *context, struct MHD_Connection *connection,
                                        const char *url, const char *method, const char *version,
                                        const char *upload, size_t *upload_size, void **slot);
void http_request_on_completed(void *context, struct MHD_Connection *connection, void **slot,
                               enum MHD_RequestTerminationCode reason);
void http_request_on_connection_ended(void *context, struct http_connection *entry);

/* Puts an answer into the log and the metrics, whoever sent it. `request` may be NULL: none had
 * begun when it was refused. */
void http_request_record(struct http_server *server, const struct http_request *request,
                         unsigned status);

/* The metrics' label; `context` is the server. */
const char *http_route_label(const void *context, size_t route);

/* Gives the request, which no one uses any more, back for the next one. */
void http_request_recycle(struct http_request *request);

/* Notes a piece of the body, and keeps it if the route asks for it. Returns 0, or -1 if out of
 * memory. */
MUST_CHECK int http_request_take_body(struct http_request *request, const char *data,
                                      size_t length);

bool http_request_body_is_too_large(const struct http_request *request);
void http_request_drop_body(struct http_request *request);

/* Hands the answer to the library. */
enum MHD_Result http_request_send(struct http_request *request);

/* Lets go of the answer kept for the next request, if there is one. */
void http_request_drop_response(struct http_request *request);

#endif
