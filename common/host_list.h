/* host_list.h - lists of hosts and of their ports, separated by commas, as libpq has them. Any
 * thread. */
#ifndef COMMON_HOST_LIST_H
#define COMMON_HOST_LIST_H

#include "attributes.h"

#include <stdbool.h>

#define HOST_LIST_PORT_SIZE sizeof "65535"

struct host {
    char *name; /* a name, an address, or the directory of a Unix socket */
    char port[HOST_LIST_PORT_SIZE];
};

struct host_list {
    struct host *hosts;
    int count;
};

/* Whether each item is something: not empty, and without a blank. */
bool host_list_accepts_hosts(const char *text);

/* Whether each item is a port, from 1 to 65535. */
bool host_list_accepts_ports(const char *text);

/* Whether the host is the directory of a Unix socket. */
bool host_is_directory(const struct host *host);

/* Fills *list, to be given to host_list_free(), from two texts that are accepted above. Returns 0,
 * or -1 with errno; EINVAL: `ports` has neither one port for all nor one for each host. */
MUST_CHECK int host_list_parse(struct host_list *list, const char *hosts, const char *ports);

/* Accepts a zeroed list. */
void host_list_free(struct host_list *list);

#endif
