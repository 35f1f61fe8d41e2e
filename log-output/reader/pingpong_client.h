/* pingpong_client.h - asks pingpong for the views' numbers, and counts how that ends.
 *
 * A view goes at once while few requests are under way. Those that wait become one request for as
 * many numbers, and get them in the order of their arrival. A view that brings headers to be
 * followed by travels alone, as they can name one request only. Pingpongs that take one ping at a
 * time are asked for one at a time, and now and then whether they take several.
 *
 * Nothing repeats a request that may have been counted. What surely was not, because no connection
 * was made or pingpong says so, is asked again within the view's own time, elsewhere if possible.
 *
 * Everything belongs to the loop's thread.
 */
#ifndef LOG_OUTPUT_PINGPONG_CLIENT_H
#define LOG_OUTPUT_PINGPONG_CLIENT_H

#include "attributes.h"
#include "client/client.h"
#include "event_loop.h"
#include "http/identity.h"
#include "http/trace_headers.h"

#include <stdint.h>
#include <stdio.h>

struct pingpong_client;

struct pong {
    enum client_result result;
    long status;                   /* CLIENT_BAD_STATUS */
    int64_t number;                /* CLIENT_OK */
    bool may_be_counted;           /* not CLIENT_OK: false if it surely was not */
    struct http_answerer answerer; /* borrowed until the callback returns */
};

/* A ping that is under way. It is the caller's memory, and its to keep until the callback. */
struct ping {
    struct ping *next;
    void *context;
    struct http_trace_headers *trace; /* owned */
    int64_t started_ns;
    int8_t avoid; /* the replica that did not count it */
    uint8_t attempts;
};

typedef void pingpong_callback(void *context, const struct pong *pong);

/* Says whether the ping with this context has a viewer still. */
typedef bool pingpong_is_wanted(void *context);

struct pingpong_client_options {
    struct client_options client; /* without is_wanted and headers, which are set here */
    int64_t batch_max;            /* most views in one request */
    pingpong_callback *callback;  /* for each ping */
    pingpong_is_wanted *is_wanted;
};

/* Returns 0 and sets *client, owned by the caller, or -1 if out of memory. */
MUST_CHECK int pingpong_client_create(struct pingpong_client **client, struct event_loop *loop,
                                      const struct pingpong_client_options *options);

/* Accepts NULL. Pings that are under way are forgotten. */
void pingpong_client_destroy(struct pingpong_client *client);

/* One ping, with the headers to be followed by, which are taken and may be NULL. The callback is
 * called once, perhaps before this returns. */
void pingpong_client_ping(struct pingpong_client *client, struct http_trace_headers *trace,
                          struct ping *ping, void *context);

/* Writes log_output_upstream_*. */
void pingpong_client_write_metrics(const struct pingpong_client *client, FILE *out);

#endif
