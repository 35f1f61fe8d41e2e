/* pingpong_monitor.h - whether pingpong is ready: its /healthz, asked in the background.
 *
 * Asked every two seconds over a connection of its own, so neither a probe of the reader's nor a
 * full queue of pages waits for it, and nothing is counted up. Everything belongs to the loop's
 * thread.
 */
#ifndef LOG_OUTPUT_PINGPONG_MONITOR_H
#define LOG_OUTPUT_PINGPONG_MONITOR_H

#include "attributes.h"
#include "client/addresses.h"
#include "client/url.h"
#include "event_loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pingpong_monitor;

/* `url` and `addresses` are borrowed. Returns 0 and sets *monitor, owned by the caller, or -1 if
 * out of memory. */
MUST_CHECK int pingpong_monitor_create(struct pingpong_monitor **monitor, struct event_loop *loop,
                                       const struct client_url *url,
                                       struct client_addresses *addresses,
                                       int64_t connect_timeout_ms);

/* Accepts NULL. */
void pingpong_monitor_destroy(struct pingpong_monitor *monitor);

/* The last answer was 200. */
bool pingpong_monitor_is_ready(const struct pingpong_monitor *monitor);

/* "ready", or what the last answer was instead. */
void pingpong_monitor_describe(const struct pingpong_monitor *monitor, char *out, size_t size);

#endif
