/* witness/pinger.h - starts requests on time, whatever became of those before, and hands each to
 * the observer when it has ended. Everything belongs to the loop's thread.
 */
#ifndef WITNESS_PINGER_H
#define WITNESS_PINGER_H

#include "attributes.h"
#include "client/addresses.h"
#include "event_loop.h"
#include "observer.h"
#include "witness_settings.h"

#include <stdbool.h>
#include <stdint.h>

struct pinger;

/* Begins at once. The arguments are borrowed. Returns 0 and sets *pinger, owned by the caller, or
 * -1 with errno. */
MUST_CHECK int pinger_create(struct pinger **pinger, struct event_loop *loop,
                             const struct witness_settings *settings,
                             struct client_addresses *addresses, struct observer *observer);

/* Accepts NULL. Requests that are under way are handed to the observer as cut off. */
void pinger_destroy(struct pinger *pinger);

/* Starts no more requests. Those that were started end in time. */
void pinger_stop(struct pinger *pinger);

/* All requests had their turn, or it was stopped, and all that were started have ended. */
bool pinger_is_done(const struct pinger *pinger);

#endif
