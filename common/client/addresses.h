/* client/addresses.h - keeps a host's addresses at hand without ever blocking the loop.
 *
 * Names are looked up by the resolver's thread. Looked up again at intervals; when that fails the
 * addresses known before stay. A host that is an address already needs no lookup and no thread.
 * The functions belong to the loop's thread.
 */
#ifndef COMMON_CLIENT_ADDRESSES_H
#define COMMON_CLIENT_ADDRESSES_H

#include "attributes.h"
#include "event_loop.h"

#include <stdint.h>

enum client_addresses_state {
    CLIENT_ADDRESSES_PENDING,  /* the first lookup has not ended */
    CLIENT_ADDRESSES_FAILED,   /* no address is known; tried again every second */
    CLIENT_ADDRESSES_RESOLVED, /* see client_addresses_list() */
    CLIENT_ADDRESSES_NUMERIC,  /* the host is an address */
};

struct client_addresses;

/* `host` is borrowed. The loop's signals have to be set up before. Returns 0 and sets *addresses,
 * owned by the caller, or -1 with errno. */
MUST_CHECK int client_addresses_create(struct client_addresses **addresses, struct event_loop *loop,
                                       const char *host);

/* Accepts NULL. A lookup that is under way is left to end by itself. */
void client_addresses_destroy(struct client_addresses *addresses);

enum client_addresses_state client_addresses_state(const struct client_addresses *addresses);

/* CLIENT_ADDRESSES_RESOLVED: the addresses, separated by commas, IPv6 ones in brackets. Borrowed
 * until the loop's next pass. */
const char *client_addresses_list(const struct client_addresses *addresses);

/* Changes whenever the addresses do; never 0 once there are some. */
unsigned client_addresses_generation(const struct client_addresses *addresses);

/* The addresses seem not to answer: look them up again soon. */
void client_addresses_suspect(struct client_addresses *addresses);

#endif
