/* upstream_multi.h - a libcurl multi handle on an event loop: its sockets watched, its timer kept.
 *
 * Part of upstream. Everything belongs to the loop's thread.
 */
#ifndef LOG_OUTPUT_UPSTREAM_MULTI_H
#define LOG_OUTPUT_UPSTREAM_MULTI_H

#include "attributes.h"
#include "event_loop.h"

#include <curl/curl.h>
#include <stdint.h>

struct upstream_multi;

/* Keeps at most `connections_max` connections for later. Returns NULL if out of memory. */
MUST_CHECK struct upstream_multi *upstream_multi_create(struct event_loop *loop,
                                                        int64_t connections_max);

/* Accepts NULL. All easy handles have to be gone. */
void upstream_multi_destroy(struct upstream_multi *multi);

/* For curl_multi_add_handle() and its like; borrowed. */
CURLM *upstream_multi_handle(const struct upstream_multi *multi);

/* Each easy handle has to close its sockets with this (CURLOPT_CLOSESOCKETFUNCTION); the context is
 * the struct upstream_multi. */
int upstream_multi_close_socket(void *context, curl_socket_t fd);

/* Does what libcurl wants to be done by now; handles that were just added begin here. */
void upstream_multi_run(struct upstream_multi *multi);

/* Monotonic time in ms of the next upstream_multi_run(), or EVENT_LOOP_IDLE. */
int64_t upstream_multi_due_ms(const struct upstream_multi *multi);

#endif
