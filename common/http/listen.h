/* http/listen.h - the listening socket, with errors that name the port. Any thread. */
#ifndef COMMON_HTTP_LISTEN_H
#define COMMON_HTTP_LISTEN_H

#include "attributes.h"

#include <stdint.h>

/* Listens on `port` of all addresses: one IPv6 socket that takes IPv4 too, or an IPv4 one where
 * the machine has no IPv6. Port 0 takes any free port. Returns the socket, non-blocking and owned
 * by the caller, and logs the port; or -1 after logging why. */
MUST_CHECK int http_listen(uint16_t port);

#endif
