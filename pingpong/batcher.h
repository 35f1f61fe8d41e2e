/* batcher.h - pings wait together, are counted together, and each gets its own number.
 *
 * Whatever waits when the database is free becomes one batch, at once or, where that serves them
 * better (see pacer.h), a moment later; what arrives while it is committed becomes the next one.
 * Numbers are given out in the order of arrival, and only once the batch is committed. A ping whose
 * time is up is told so: "not counted" if it was never sent, otherwise that it is not known.
 * A request for several pings is in one batch whole, so its numbers follow each other.
 * Readings of the count are gathered in the same way. Everything belongs to the loop's thread.
 */
#ifndef PINGPONG_BATCHER_H
#define PINGPONG_BATCHER_H

#include "attributes.h"
#include "database.h"
#include "event_loop.h"
#include "http/server.h"

#include <stdint.h>
#include <stdio.h>

struct batcher;

struct batcher_options {
    int64_t timeout_ms; /* from arrival to answer */
    int64_t queue_max;  /* pings and readings that wait, under way ones included */
};

/* The callbacks to create the batcher's database with; their context is the batcher. */
extern const struct database_callbacks batcher_database_callbacks;

/* Returns 0 and sets *batcher, owned by the caller, or -1 with errno. */
MUST_CHECK int batcher_create(struct batcher **batcher, struct event_loop *loop,
                              const struct batcher_options *options);

/* Names the database, which is borrowed; before the loop runs. */
void batcher_use(struct batcher *batcher, struct database *database);

/* Accepts NULL. Requests that still wait are not answered. */
void batcher_destroy(struct batcher *batcher);

/* Takes the request and answers it in time with {"pong":N}, or 503. */
void batcher_ping(struct batcher *batcher, struct http_request *request);

/* The same for `count` pings at once, 1 or more, with {"first":A,"last":B}: B - A + 1 is `count`.
 */
void batcher_ping_several(struct batcher *batcher, struct http_request *request, int64_t count);

/* The same for the present count, which is not changed. */
void batcher_read_count(struct batcher *batcher, struct http_request *request);

/* Writes the metrics of pings, batches and the queue. */
void batcher_write_metrics(const struct batcher *batcher, FILE *out);

#endif
