/* client/transfer.h - a reusable transfer: one libcurl easy handle, set up once, used again.
 *
 * Part of client. Everything belongs to the loop's thread.
 */
#ifndef COMMON_CLIENT_TRANSFER_H
#define COMMON_CLIENT_TRANSFER_H

#include "attributes.h"
#include "client/client.h"
#include "client/multi.h"

#include <stdbool.h>

struct client_transfer;

/* All arguments are borrowed. Returns NULL if out of memory. */
MUST_CHECK struct client_transfer *client_transfer_create(struct client_multi *multi,
                                                          const struct client_options *options);

/* Accepts NULL. The transfer must not be running. */
void client_transfer_destroy(struct client_transfer *transfer);

/* Each transfer has a connection of its own, which is kept from one request to the next. Leaves it,
 * so that the next request has a new one. */
void client_transfer_renew(struct client_transfer *transfer);

/* Begins the request; `owner` comes back from client_transfer_next_done(). Returns 0, or -1 if
 * out of memory. */
MUST_CHECK int client_transfer_start(struct client_transfer *transfer,
                                     const struct client_request *request, const char *trace_parent,
                                     void *owner);

/* Whether any of the request may have left since the transfer was started. */
bool client_transfer_was_sent(const struct client_transfer *transfer);

/* Whether a connection was made for the request, which has ended. */
bool client_transfer_has_connected(const struct client_transfer *transfer);

/* How long the connection may be idle, and be used again without meeting its server's closing it.
 */
int64_t client_transfer_idle_ms(const struct client_transfer *transfer);

/* Stops a transfer that was started; the connection of one that has not ended is closed. */
void client_transfer_stop(struct client_transfer *transfer);

/* The owner of a transfer that has ended, or NULL if there is none. Fills *answer except for
 * `was_sent` and its duration; the body is borrowed until the transfer starts again. */
void *client_transfer_next_done(struct client_multi *multi, struct client_answer *answer);

#endif
