/* http/connections.h - which connections are open and how long ago each last completed a request.
 *
 * The HTTP library's inactivity timeout does not stop a client that sends a byte now and then, and
 * at its connection limit it stops accepting, so idle connections could keep others out. Both are
 * handled here: overdue connections are shut down, and over the cap the longest idle one is. One
 * thread.
 */
#ifndef COMMON_HTTP_CONNECTIONS_H
#define COMMON_HTTP_CONNECTIONS_H

#include "attributes.h"

#include <microhttpd.h>
#include <stdint.h>

/* Connections beyond the cap for the moment in which the evicted ones are still closing. */
#define HTTP_CONNECTIONS_RESERVE 32

struct http_connections;
struct http_connection;

/* At most `maximum` connections stay open; each has to complete a request within `overdue_ms`.
 * Returns NULL if out of memory. */
MUST_CHECK struct http_connections *http_connections_create(unsigned maximum, int64_t overdue_ms);

/* Accepts NULL. Call it after the library's daemon was stopped. */
void http_connections_destroy(struct http_connections *connections);

/* The limit to give the library: some above the cap, for the time until evicted ones are gone. */
unsigned http_connections_library_limit(const struct http_connections *connections);

unsigned http_connections_maximum(const struct http_connections *connections);
unsigned http_connections_count(const struct http_connections *connections);

/* The library's MHD_OPTION_NOTIFY_CONNECTION callback; `context` is the struct http_connections. */
void http_connections_notify(void *context, struct MHD_Connection *connection, void **slot,
                             enum MHD_ConnectionNotificationCode code);

/* A request has begun on the connection. Returns what http_connections_end_request() wants, which
 * may be NULL; borrowed until then. */
struct http_connection *http_connections_begin_request(struct MHD_Connection *connection);
void http_connections_end_request(struct http_connections *connections,
                                  struct http_connection *connection, int64_t now_ms);

/* Shuts down what is overdue. Returns when to call it again, or INT64_MAX if nothing is open. */
int64_t http_connections_sweep(struct http_connections *connections, int64_t now_ms);

#endif
