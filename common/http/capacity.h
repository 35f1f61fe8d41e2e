/* http/capacity.h - how many connections the process has room for. */
#ifndef COMMON_HTTP_CAPACITY_H
#define COMMON_HTTP_CAPACITY_H

#include "attributes.h"
#include "http/server.h"

#include <stdint.h>

/* With room for fewer the process does not serve. */
#define HTTP_CAPACITY_MIN 8

/* Sets *connections to options->connections_max, or to what there is room for, after logging a
 * warning. The limit of open files is raised if it has to be and may be. Returns 0, or -1 with
 * errno after logging what is short and what would do. */
MUST_CHECK int http_capacity_fit(const struct http_server_options *options, unsigned *connections);

/* The two parts, without raising or logging anything. */
int64_t http_capacity_of_files(const struct http_server_options *options, int64_t open_files);
int64_t http_capacity_of_memory(const struct http_server_options *options, int64_t limit_bytes);

/* How many files have to be open for so many connections. */
int64_t http_capacity_files_for(const struct http_server_options *options, int64_t connections);

#endif
