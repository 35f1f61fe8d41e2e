/* pingpong_client.h - asks pingpong for the next number, and counts how that ends. Everything
 * belongs to the loop's thread. */
#ifndef LOG_OUTPUT_PINGPONG_CLIENT_H
#define LOG_OUTPUT_PINGPONG_CLIENT_H

#include "attributes.h"
#include "client/client.h"
#include "event_loop.h"
#include "http/identity.h"
#include "trace.h"

#include <stdint.h>
#include <stdio.h>

struct pingpong_client;

struct pong {
    enum client_result result;
    long status;                   /* CLIENT_BAD_STATUS */
    int64_t number;                /* CLIENT_OK */
    struct http_answerer answerer; /* borrowed until the callback returns */
};

typedef void pingpong_callback(void *context, const struct pong *pong);

/* A ping that is under way. It is the caller's memory, and its to keep until the callback. */
struct ping {
    struct pingpong_client *client;
    pingpong_callback *callback;
    void *context;
};

/* `options->is_wanted` is given a struct ping; the headers to keep are set here. Returns 0 and sets
 * *client, owned by the caller, or -1 if out of memory. */
MUST_CHECK int pingpong_client_create(struct pingpong_client **client, struct event_loop *loop,
                                      const struct client_options *options);

/* Accepts NULL. Pings that are under way are forgotten. */
void pingpong_client_destroy(struct pingpong_client *client);

/* One ping, as part of the trace `parent`, which may be NULL. `callback` is called once, perhaps
 * before this returns. */
void pingpong_client_ping(struct pingpong_client *client, const struct trace *parent,
                          struct ping *ping, pingpong_callback *callback, void *context);

/* Writes log_output_upstream_requests_total, log_output_upstream_duration_seconds and
 * log_output_upstream_queue_length. */
void pingpong_client_write_metrics(const struct pingpong_client *client, FILE *out);

#endif
