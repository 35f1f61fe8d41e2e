/* http/lingering.h - connections that were refused, read on for a while after their last answer.
 *
 * Closing a socket on which bytes lie unread resets the connection, and a reset can overtake the
 * answer: its client then sees an error in the place of the refusal. What still comes is thrown
 * away, until the client closes, falls silent, or its time is up. One thread.
 */
#ifndef COMMON_HTTP_LINGERING_H
#define COMMON_HTTP_LINGERING_H

#include "attributes.h"
#include "event_loop.h"

struct http_lingering;

/* Returns NULL if out of memory. */
MUST_CHECK struct http_lingering *http_lingering_create(struct event_loop *loop);

/* Closes all. Accepts NULL. */
void http_lingering_destroy(struct http_lingering *lingering);

/* Takes a duplicate of the descriptor, which has sent its last and is shut down for that; its owner
 * may close it then. Over the cap the oldest is
 * closed; without a descriptor to spare nothing lingers. */
void http_lingering_add(struct http_lingering *lingering, int fd, int64_t now_ms);

/* Closes what has lingered long enough. Returns when to call it again, or EVENT_LOOP_IDLE. */
int64_t http_lingering_sweep(struct http_lingering *lingering, int64_t now_ms);

#endif
