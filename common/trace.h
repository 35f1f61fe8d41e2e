/* trace.h - the W3C Trace Context header `traceparent` (https://www.w3.org/TR/trace-context/).
 *
 * A request that carries a valid one belongs to that trace; the services pass its trace id on and
 * log it. May be called from any thread.
 */
#ifndef COMMON_TRACE_H
#define COMMON_TRACE_H

#include "attributes.h"

#include <stdbool.h>

/* "00-" 32 hex "-" 16 hex "-" 2 hex, and its terminator. */
#define TRACE_PARENT_SIZE 56
#define TRACE_ID_SIZE 33

struct trace {
    char trace_id[TRACE_ID_SIZE]; /* 32 lower-case hex digits */
    char parent_id[17];           /* 16 lower-case hex digits: the caller's span */
    char flags[3];                /* 2 hex digits */
};

/* Reads a traceparent of version 00, or of a later version whose beginning has the same form.
 * `header` may be NULL. Returns 0 and fills *trace, or -1 if there is none or it is malformed. */
MUST_CHECK int trace_parse(const char *header, struct trace *trace);

/* Whether a tracestate (all of its headers, joined by commas) has the form of the standard: at most
 * 32 members key=value, empty ones aside. One that has not is not passed on. */
bool trace_state_is_valid(const char *state);

/* Starts a new span under `parent`, or a new, unsampled trace if `parent` is NULL, and writes the
 * traceparent to send upstream. */
void trace_continue(const struct trace *parent, char out[TRACE_PARENT_SIZE]);

#endif
