/* http/refusal.h - what is refused before anything is done for it; for the server's modules only.
 *
 * The answer goes out on the socket itself: the library's memory has not always room for it, it
 * takes none while a body comes, and some of its own would be in another form. After that the
 * library can send nothing more, and is told to close the connection.
 */
#ifndef COMMON_HTTP_REFUSAL_H
#define COMMON_HTTP_REFUSAL_H

#include "attributes.h"
#include "http/connections.h"
#include "http/head.h"

#include <microhttpd.h>

struct http_server;

/* What is said with a status, where it says all that is known. */
struct http_fault http_refusal_fault(unsigned status);

/* The library's MHD_OPTION_URI_LOG_CALLBACK; `context` is the struct http_server. The earliest
 * sight of a request: its target, as it was sent. */
void *http_refusal_on_target(void *context, const char *target, struct MHD_Connection *connection);

/* Judges the head that the library has read: its form, and whether an answer to it is sure to find
 * room in the connection's memory. */
MUST_CHECK struct http_fault http_refusal_judge(const struct http_server *server,
                                                struct http_connection *entry, const char *method,
                                                const char *version);

/* Whether the trailer of a body in chunks has left the room that was kept for it. */
MUST_CHECK bool http_refusal_trailer_fits(const struct http_connection *entry);

/* Answers on the socket, and records that. */
void http_refuse_on_socket(struct http_server *server, struct http_connection *entry,
                           struct http_fault fault);

/* What is wrong with the fields of a head that the library has read, the target left out. */
MUST_CHECK struct http_fault http_refusal_judge_fields(struct http_connection *entry);

/* The size of the head, or 0: it is not there as a whole. */
size_t http_refusal_head_bytes(struct MHD_Connection *connection);

/* The connection is about to be closed: answers what the library would close it on in silence. */
void http_refusal_on_end(struct http_server *server, struct http_connection *entry);

/* The connection's on_stuck: answers a body that the library does not read on. */
void http_refusal_on_stuck(void *context, struct http_connection *entry);

#endif
