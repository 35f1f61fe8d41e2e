#include "http/capacity.h"

#include "http/connections.h"
#include "log.h"
#include "memory_limit.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Neither connections of clients nor those the program makes by options->outgoing_max: standard
 * streams, epoll, signals, the database, files, lookups, and refused connections that linger. */
#define OTHER_DESCRIPTORS 128

/* What a connection takes beside its memory for heads: measured were 2.6 KB, 1.5 KB of them the
 * kernel's; an answer that its client does not take is a few more. */
#define BYTES_BESIDE 8192

int64_t http_capacity_files_for(const struct http_server_options *options, int64_t connections)
{
    return connections + HTTP_CONNECTIONS_RESERVE + OTHER_DESCRIPTORS + options->outgoing_max;
}

int64_t http_capacity_of_files(const struct http_server_options *options, int64_t open_files)
{
    return open_files - http_capacity_files_for(options, 0);
}

/* A quarter is left for everything else. */
int64_t http_capacity_of_memory(const struct http_server_options *options, int64_t limit_bytes)
{
    return limit_bytes / 4 * 3 / ((int64_t)options->connection_bytes + BYTES_BESIDE);
}

/* Returns how many files may be open, at most `wanted` where the limit had to be raised. */
static int64_t raise_file_limit(int64_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur >= (rlim_t)wanted)
        return wanted;
    struct rlimit raised = limit;
    raised.rlim_cur = (rlim_t)wanted < limit.rlim_max ? (rlim_t)wanted : limit.rlim_max;
    return (int64_t)(setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur);
}

static int fit_files(const struct http_server_options *options, int64_t *connections)
{
    int64_t wanted = http_capacity_files_for(options, *connections);
    int64_t files = raise_file_limit(wanted);
    int64_t spare = http_capacity_of_files(options, files);

    if (spare >= *connections)
        return 0;
    if (spare < HTTP_CAPACITY_MIN) {
        log_error("too few files may be open to serve: raise the limit (ulimit -n, LimitNOFILE=)",
                  LOG_FIELDS(log_integer("open_files", files),
                             log_integer("open_files_least",
                                         http_capacity_files_for(options, HTTP_CAPACITY_MIN)),
                             log_integer("open_files_for_HTTP_CONNECTIONS_MAX", wanted)));
        errno = EMFILE;
        return -1;
    }
    log_warning("fewer connections than HTTP_CONNECTIONS_MAX: the limit of open files is low",
                LOG_FIELDS(log_integer("open_files", files), log_integer("connections", spare),
                           log_integer("open_files_for_HTTP_CONNECTIONS_MAX", wanted)));
    *connections = spare;
    return 0;
}

static int fit_memory(const struct http_server_options *options, int64_t *connections)
{
    int64_t limit = memory_limit_bytes();
    int64_t spare = http_capacity_of_memory(options, limit);

    if (spare >= *connections)
        return 0;
    if (spare < HTTP_CAPACITY_MIN) {
        log_error("the memory limit is too low to serve: raise it, or lower HTTP_CONNECTION_BYTES",
                  LOG_FIELDS(log_integer("memory_limit_bytes", limit),
                             log_integer("connection_bytes", (int64_t)options->connection_bytes)));
        errno = ENOMEM;
        return -1;
    }
    log_warning("fewer connections than HTTP_CONNECTIONS_MAX: the memory limit is low",
                LOG_FIELDS(log_integer("memory_limit_bytes", limit),
                           log_integer("connection_bytes", (int64_t)options->connection_bytes),
                           log_integer("connections", spare)));
    *connections = spare;
    return 0;
}

int http_capacity_fit(const struct http_server_options *options, unsigned *connections)
{
    int64_t fitting = options->connections_max;

    if (fit_memory(options, &fitting) != 0 || fit_files(options, &fitting) != 0)
        return -1;
    *connections = (unsigned)fitting;
    return 0;
}
