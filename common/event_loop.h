/* event_loop.h - one thread's loop: file descriptors, work done in every pass, and signals.
 *
 * A pass waits for events, calls the callbacks of the descriptors that have some, then runs the
 * steps in the order they were added. A step says when it wants to run next, so every wait has a
 * deadline. All of it belongs to the thread that calls event_loop_run(), callbacks included.
 */
#ifndef COMMON_EVENT_LOOP_H
#define COMMON_EVENT_LOOP_H

#include "attributes.h"

#include <stdint.h>

/* What a step returns when it has nothing to do until an event comes. */
#define EVENT_LOOP_IDLE INT64_MAX

struct event_loop;

/* `events` are epoll's EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. */
typedef void event_loop_callback(void *context, uint32_t events);

/* Does what is due at `now_ms` (monotonic). Returns the monotonic time in ms of its next work, or
 * EVENT_LOOP_IDLE. */
typedef int64_t event_loop_step(void *context, int64_t now_ms);

/* Returns 0 and sets *loop, owned by the caller, or -1 with errno. */
MUST_CHECK int event_loop_create(struct event_loop **loop);

/* Accepts NULL. Descriptors that were watched are not closed. */
void event_loop_destroy(struct event_loop *loop);

/* Calls back when `fd` has any of `events`. Watching a descriptor again changes its events and
 * callback. `fd` and `context` are borrowed until event_loop_forget(). Returns 0, or -1 with
 * errno. */
MUST_CHECK int event_loop_watch(struct event_loop *loop, int fd, uint32_t events,
                                event_loop_callback *callback, void *context);

/* Ends the watch; safe in any callback, also for a descriptor with events pending in this pass,
 * and for one that is not watched. Call it before the descriptor is closed. */
void event_loop_forget(struct event_loop *loop, int fd);

/* Adds a step; at most 16. */
void event_loop_add_step(struct event_loop *loop, event_loop_step *step, void *context);

/* Delivers SIGTERM and SIGINT as calls of `callback`, and ignores SIGPIPE. Call before threads are
 * started: they inherit the mask. Returns 0, or -1 with errno. */
MUST_CHECK int event_loop_catch_signals(struct event_loop *loop, void (*callback)(void *context),
                                        void *context);

/* Runs until event_loop_stop(). Returns 0, or -1 with errno if waiting failed. */
MUST_CHECK int event_loop_run(struct event_loop *loop);

/* Ends event_loop_run() after the current pass. */
void event_loop_stop(struct event_loop *loop);

#endif
