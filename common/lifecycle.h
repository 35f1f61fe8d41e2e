/* lifecycle.h - how a daemon ends: drain, then stop.
 *
 * The first SIGTERM or SIGINT begins the drain: lifecycle_is_draining() becomes true, so readiness
 * fails, while requests are still served for the drain time, because load balancers learn of it
 * only later. Then the listening socket is closed, what is in flight is answered, and the loop
 * ends. The second signal ends the loop at once. Belongs to the loop's thread.
 */
#ifndef COMMON_LIFECYCLE_H
#define COMMON_LIFECYCLE_H

#include "attributes.h"
#include "event_loop.h"
#include "http/server.h"

#include <stdbool.h>

struct lifecycle;

/* Takes the signals of `loop`. `server` is borrowed, and set later by lifecycle_serve().
 * `finish_timeout_ms` bounds the wait for what is in flight after the listener is closed. Returns
 * 0 and sets *lifecycle, owned by the caller, or -1 with errno. */
MUST_CHECK int lifecycle_create(struct lifecycle **lifecycle, struct event_loop *loop,
                                int64_t drain_ms, int64_t finish_timeout_ms);

/* Names the server to drain; add it before the loop runs. */
void lifecycle_serve(struct lifecycle *lifecycle, struct http_server *server);

/* What has to end beside the server's requests: the end waits for it, too, as long as `is_busy`
 * says so, up to the finish timeout. The context is borrowed. */
void lifecycle_wait_for(struct lifecycle *lifecycle, bool (*is_busy)(const void *context),
                        const void *context);

/* The program's work is done: ends without a signal and without a drain. Once ending has begun it
 * does nothing. */
void lifecycle_finish(struct lifecycle *lifecycle);

/* Accepts NULL. */
void lifecycle_destroy(struct lifecycle *lifecycle);

bool lifecycle_is_draining(const struct lifecycle *lifecycle);

/* All that was in flight when the listener closed was answered: the end was orderly. */
bool lifecycle_ended_cleanly(const struct lifecycle *lifecycle);

#endif
