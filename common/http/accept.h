/* http/accept.h - which form of an answer a client prefers (RFC 9110, 12.5.1). Any thread. */
#ifndef COMMON_HTTP_ACCEPT_H
#define COMMON_HTTP_ACCEPT_H

#include <stddef.h>

/* Chooses among media types such as "text/html" by the value of an Accept header, which may be
 * NULL. Returns the index of the one with the highest quality, the first of several; 0 if none is
 * acceptable, for an answer in another form is of more use than none. Parameters of media types
 * other than q are passed over. */
size_t http_accept_choose(const char *accept, const char *const *types, size_t count);

#endif
