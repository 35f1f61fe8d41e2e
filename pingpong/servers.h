/* servers.h - the addresses that DB_HOST leads to, one after another.
 *
 * A round goes through every host, and for each through every address that its name has now. Names
 * are looked up when their turn comes, without stopping the loop. The server that worked last
 * comes first in the next round; one that hung comes last. Everything belongs to the loop's thread.
 */
#ifndef PINGPONG_SERVERS_H
#define PINGPONG_SERVERS_H

#include "attributes.h"
#include "event_loop.h"

#include <stdbool.h>

struct servers;

/* Strings are borrowed until the next call of servers_next(). */
struct server {
    const char *host;    /* as it was given */
    const char *address; /* of the host; NULL: the host is the directory of a Unix socket */
    const char *port;
    const char *error; /* SERVERS_FAILED: why the host has no address */
};

enum servers_step {
    SERVERS_FOUND,      /* `server` is the next */
    SERVERS_LOOKING_UP, /* call again when called back, or servers_skip() */
    SERVERS_FAILED,     /* server->host has no address: call again for the next host */
};

/* The name that servers_next() waits for has been looked up. */
typedef void servers_callback(void *context);

/* `hosts` and `ports` are lists that host_list.h accepts. Returns 0 and sets *servers, owned by
 * the caller, or -1 with errno. */
MUST_CHECK int servers_create(struct servers **servers, struct event_loop *loop, const char *hosts,
                              const char *ports, servers_callback *callback, void *context);

/* Accepts NULL. */
void servers_destroy(struct servers *servers);

/* Goes on to the next server; after the last, a new round begins. */
enum servers_step servers_next(struct servers *servers, struct server *server);

/* Whether the round has a server or a name left to try. */
bool servers_has_more(const struct servers *servers);

/* The name that is being looked up takes too long: the next host's turn. An answer that comes
 * later is used at the host's next turn. Returns the host's name. */
const char *servers_skip(struct servers *servers);

/* The server that came last works: the next round begins with it. */
void servers_prefer(struct servers *servers);

/* It works no more, and trying it would take long: the next round ends with it. */
void servers_avoid(struct servers *servers);

#endif
