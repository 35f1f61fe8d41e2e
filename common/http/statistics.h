/* http/statistics.h - requests counted by route, method and code, and timed by route. One thread.
 */
#ifndef COMMON_HTTP_STATISTICS_H
#define COMMON_HTTP_STATISTICS_H

#include "attributes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct http_statistics;

/* The route's and the method's labels; borrowed for the statistics' life. A request to no route is
 * counted under the index `route_count`, written as "other". Returns NULL if out of memory. */
MUST_CHECK struct http_statistics *http_statistics_create(size_t route_count);

/* Accepts NULL. */
void http_statistics_destroy(struct http_statistics *statistics);

/* Methods are enum http_method, or 0 for any other. */
void http_statistics_record(struct http_statistics *statistics, size_t route, unsigned method,
                            unsigned status, int64_t duration_ns);

/* Writes http_requests_total and http_request_duration_seconds; `route_label` names a route. */
void http_statistics_write(const struct http_statistics *statistics,
                           const char *(*route_label)(const void *context, size_t route),
                           const void *context, FILE *out);

#endif
