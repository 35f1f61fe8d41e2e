/* upstream.h - asks one URL of another service over HTTP, without ever blocking the loop.
 *
 * A bounded pool of kept-alive connections, and a bounded queue of calls that wait for one of them.
 * Each call has one deadline, waiting included, and is answered exactly once. Connections are
 * replaced when they reach an age, because a Service balances connections, not requests: one that
 * is kept for ever would never see a new replica. Nothing but libcurl's own retry repeats a
 * request: once, and only if a kept-alive connection was closed before any byte of the answer, as
 * a server does with an idle one. Redirects are not followed, proxies not used.
 *
 * With upstream_url.c the only module that knows libcurl. Everything belongs to the loop's thread.
 */
#ifndef LOG_OUTPUT_UPSTREAM_H
#define LOG_OUTPUT_UPSTREAM_H

#include "attributes.h"
#include "event_loop.h"
#include "host_addresses.h"
#include "trace.h"
#include "upstream_result.h"
#include "upstream_url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer body is UPSTREAM_NONSENSE. */
#define UPSTREAM_BODY_MAX_BYTES 512

struct upstream;

struct upstream_answer {
    enum upstream_result result;
    long status;      /* UPSTREAM_OK, UPSTREAM_BAD_STATUS */
    const char *body; /* UPSTREAM_OK: the body, zero-terminated; else empty */
    size_t length;
    int64_t duration_ns; /* since upstream_get() */
};

/* `answer` is borrowed until it returns. */
typedef void upstream_callback(void *context, const struct upstream_answer *answer);

/* Says whether anyone still waits for the answer to the call with this context. */
typedef bool upstream_is_wanted(void *context);

struct upstream_options {
    const char *url;                  /* borrowed */
    const struct upstream_url *host;  /* its host and port; borrowed */
    struct host_addresses *addresses; /* of the host; borrowed */
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* of a call, in all */
    int64_t connections_max;
    int64_t queue_max;
    int64_t connection_age_ms;
    upstream_is_wanted *is_wanted; /* asked when a call's turn has come; NULL: always */
};

/* Once, before anything else here and before threads; `secure` if https will be spoken. Returns 0
 * or -1. */
MUST_CHECK int upstream_global_init(bool secure);
void upstream_global_cleanup(void);

/* Returns 0 and sets *upstream, owned by the caller, or -1 if out of memory. */
MUST_CHECK int upstream_create(struct upstream **upstream, struct event_loop *loop,
                               const struct upstream_options *options);

/* Accepts NULL. Calls that are not answered are forgotten: their callbacks are not called. */
void upstream_destroy(struct upstream *upstream);

/* GETs the URL as part of the trace `parent`, or of a new one if that is NULL. `callback` is called
 * once: in a later step of the loop, or at once if the call is refused. Add the step of whoever
 * calls this (http_server_create() adds one) before upstream_create() adds its own: then the
 * request leaves in the same pass. */
void upstream_get(struct upstream *upstream, const struct trace *parent,
                  upstream_callback *callback, void *context);

/* How many calls wait for a connection. */
size_t upstream_queue_length(const struct upstream *upstream);

#endif
