/* http/trace_headers.h - the headers by which others follow a request through several services.
 *
 * W3C Trace Context (traceparent, tracestate), W3C Baggage, x-request-id, and B3 (b3, x-b3-*, of
 * Zipkin and of meshes built on Envoy): a service that asks another one on behalf of a request
 * passes them on. Each is bounded; one that is longer, or holds control characters, is left out.
 * Belongs to the loop's thread.
 */
#ifndef COMMON_HTTP_TRACE_HEADERS_H
#define COMMON_HTTP_TRACE_HEADERS_H

#include "attributes.h"
#include "http/server.h"
#include "trace.h"

#include <stdbool.h>

#define HTTP_TRACE_HEADERS_MAX 9

struct http_trace_headers {
    bool has_parent; /* a traceparent that is valid, and the only one */
    struct trace parent;
    const char *lines[HTTP_TRACE_HEADERS_MAX + 1]; /* the others, "name: value"; NULL-terminated */
};

/* Copies those of the request. Returns NULL if there are none (or out of memory), else what free()
 * frees. Without a valid traceparent a tracestate is left out, as the standard has it. */
struct http_trace_headers *http_trace_headers_copy(struct http_request *request);

/* Reads the traceparent of the request. Returns 0, or -1 if there is none, or more than one, or it
 * is malformed. */
MUST_CHECK int http_trace_headers_parent(struct http_request *request, struct trace *trace);

#endif
