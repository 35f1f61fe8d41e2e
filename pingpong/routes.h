/* routes.h - the daemon's URLs. Belongs to the loop's thread. */
#ifndef PINGPONG_ROUTES_H
#define PINGPONG_ROUTES_H

#include "batcher.h"
#include "database.h"
#include "faults/faults.h"
#include "http/server.h"
#include "lifecycle.h"

#include <stddef.h>

/* What the handlers work with; all borrowed. */
struct routes {
    struct batcher *batcher;
    struct database *database;
    struct lifecycle *lifecycle;
    struct faults *faults;
    struct http_server *server;
};

/* The table to serve; the handlers' context is a struct routes. */
extern const struct http_route routes_table[];
extern const size_t routes_count;

#endif
