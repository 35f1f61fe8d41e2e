/* upstream_transfer.h - a reusable transfer: one libcurl easy handle, set up once, used again.
 *
 * Part of upstream. Everything belongs to the loop's thread.
 */
#ifndef LOG_OUTPUT_UPSTREAM_TRANSFER_H
#define LOG_OUTPUT_UPSTREAM_TRANSFER_H

#include "attributes.h"
#include "upstream.h"
#include "upstream_multi.h"

#include <stdbool.h>

struct upstream_transfer;

/* All arguments are borrowed. Returns NULL if out of memory. */
MUST_CHECK struct upstream_transfer *
upstream_transfer_create(struct upstream_multi *multi, const struct upstream_options *options);

/* Accepts NULL. The transfer must not be running. */
void upstream_transfer_destroy(struct upstream_transfer *transfer);

/* Begins the request; `owner` comes back from upstream_transfer_next_done(). Returns 0, or -1 if
 * out of memory. */
MUST_CHECK int upstream_transfer_start(struct upstream_transfer *transfer, const char *trace_parent,
                                       void *owner);

/* Stops a transfer that was started; the connection of one that has not ended is closed. */
void upstream_transfer_stop(struct upstream_transfer *transfer);

/* The owner of a transfer that has ended, or NULL if there is none. Fills *answer except for its
 * duration; the body is borrowed until the transfer starts again. */
void *upstream_transfer_next_done(struct upstream_multi *multi, struct upstream_answer *answer);

#endif
