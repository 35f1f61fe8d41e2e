/* resolver.h - host names to addresses without stopping the event loop.
 *
 * getaddrinfo() can wait for many seconds on a name server, so it runs in a thread of its own; the
 * answer comes back as a call on the loop. One name at a time. The loop's signals have to be set up
 * before, for the thread inherits the mask. Except for that thread everything belongs to the
 * loop's.
 */
#ifndef COMMON_RESOLVER_H
#define COMMON_RESOLVER_H

#include "attributes.h"
#include "event_loop.h"

/* Addresses of one name that are passed on; more are left out. */
#define RESOLVER_ADDRESSES_MAX 8

struct resolver;

/* `addresses` are separated by commas, in the resolver's order of preference, and `count` says how
 * many there are; or NULL, and `error` says why. Both are borrowed for the call. */
typedef void resolver_callback(void *context, const char *addresses, int count, const char *error);

/* Returns 0 and sets *resolver, owned by the caller, or -1 with errno. */
MUST_CHECK int resolver_create(struct resolver **resolver, struct event_loop *loop,
                               resolver_callback *callback, void *context);

/* Accepts NULL. A lookup under way is left to end by itself; its answer reaches no one. */
void resolver_destroy(struct resolver *resolver);

/* Looks `host` (copied) up. While the lookup before is still under way nothing new is begun: its
 * answer is the one that comes. Returns 0, or -1 with errno if no thread could be started. */
MUST_CHECK int resolver_lookup(struct resolver *resolver, const char *host);

#endif
