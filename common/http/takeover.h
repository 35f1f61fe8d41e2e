/* http/takeover.h - refusals that are the library's own, turned into ours; for the server alone.
 *
 * The library refuses some requests before it hands on their head: in HTML, in some cases with two
 * heads (0.9.75), or without a word (1.0.1). It tells its logger first, but not of which connection
 * it speaks. Where that can be found out, the answer goes out on the socket in our form, and what
 * the library sends after it finds the socket closed for sending.
 */
#ifndef COMMON_HTTP_TAKEOVER_H
#define COMMON_HTTP_TAKEOVER_H

#include <stdarg.h>

/* The library's MHD_OPTION_EXTERNAL_LOGGER; `context` is the struct http_server. */
void http_takeover_on_log(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
