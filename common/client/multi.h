/* client/multi.h - a libcurl multi handle on an event loop: its sockets watched, its timer kept.
 *
 * Part of client. Everything belongs to the loop's thread.
 */
#ifndef COMMON_CLIENT_MULTI_H
#define COMMON_CLIENT_MULTI_H

#include "attributes.h"
#include "event_loop.h"

#include <curl/curl.h>
#include <stdint.h>

struct client_multi;

typedef void client_multi_callback(void *context);

/* Keeps at most `connections_max` connections for later. Calls back after each event of a socket in
 * use, when transfers may have ended. Returns NULL if out of memory. */
MUST_CHECK struct client_multi *client_multi_create(struct event_loop *loop,
                                                    int64_t connections_max,
                                                    client_multi_callback *on_event, void *context);

/* Accepts NULL. All easy handles have to be gone. */
void client_multi_destroy(struct client_multi *multi);

/* For curl_multi_add_handle() and its like; borrowed. */
CURLM *client_multi_handle(const struct client_multi *multi);

/* Each easy handle has to close its sockets with this (CURLOPT_CLOSESOCKETFUNCTION); the context is
 * the struct client_multi. */
int client_multi_close_socket(void *context, curl_socket_t fd);

/* Does what libcurl wants to be done by now; handles that were just added begin here. */
void client_multi_run(struct client_multi *multi);

/* Monotonic time in ms of the next client_multi_run(), or EVENT_LOOP_IDLE. */
int64_t client_multi_due_ms(const struct client_multi *multi);

#endif
