/* witness/routes.h - what the witness answers. Everything belongs to the loop's thread. */
#ifndef WITNESS_ROUTES_H
#define WITNESS_ROUTES_H

#include "http/server.h"
#include "lifecycle.h"
#include "observer.h"

#include <stddef.h>

/* The context of the handlers; all borrowed, and there before the first request. */
struct routes {
    const struct lifecycle *lifecycle;
    const struct http_server *server;
    const struct observer *observer;
};

extern const struct http_route routes_table[];
extern const size_t routes_count;

#endif
