/* host_addresses.h - keeps a host's addresses at hand without ever blocking the loop.
 *
 * Names are looked up by the resolver's thread. Looked up again at intervals; when that fails the
 * addresses known before stay. A host that is an address already needs no lookup and no thread.
 * The functions belong to the loop's thread.
 */
#ifndef LOG_OUTPUT_HOST_ADDRESSES_H
#define LOG_OUTPUT_HOST_ADDRESSES_H

#include "attributes.h"
#include "event_loop.h"

#include <stdint.h>

enum host_addresses_state {
    HOST_ADDRESSES_PENDING,  /* the first lookup has not ended */
    HOST_ADDRESSES_FAILED,   /* no address is known; tried again every second */
    HOST_ADDRESSES_RESOLVED, /* see host_addresses_list() */
    HOST_ADDRESSES_NUMERIC,  /* the host is an address */
};

struct host_addresses;

/* `host` is borrowed. The loop's signals have to be set up before. Returns 0 and sets *addresses,
 * owned by the caller, or -1 with errno. */
MUST_CHECK int host_addresses_create(struct host_addresses **addresses, struct event_loop *loop,
                                     const char *host);

/* Accepts NULL. A lookup that is under way is left to end by itself. */
void host_addresses_destroy(struct host_addresses *addresses);

enum host_addresses_state host_addresses_state(const struct host_addresses *addresses);

/* HOST_ADDRESSES_RESOLVED: the addresses, separated by commas, IPv6 ones in brackets. Borrowed
 * until the loop's next pass. */
const char *host_addresses_list(const struct host_addresses *addresses);

/* Changes whenever the addresses do; never 0 once there are some. */
unsigned host_addresses_generation(const struct host_addresses *addresses);

/* The addresses seem not to answer: look them up again soon. */
void host_addresses_suspect(struct host_addresses *addresses);

#endif
