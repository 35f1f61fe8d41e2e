/* upstream_result.h - how asking pingpong can end: the codes, their labels, their words. Any
 * thread. */
#ifndef LOG_OUTPUT_UPSTREAM_RESULT_H
#define LOG_OUTPUT_UPSTREAM_RESULT_H

#include <stddef.h>
#include <stdint.h>

enum upstream_result {
    UPSTREAM_OK,
    UPSTREAM_BAD_STATUS,      /* answered, but not with 200 */
    UPSTREAM_NONSENSE,        /* answered with what is not HTTP, too large or not understood */
    UPSTREAM_TIMED_OUT,       /* no whole answer within the time, waiting for a turn included */
    UPSTREAM_UNRESOLVED,      /* no address is known for the host name */
    UPSTREAM_UNREACHABLE,     /* no connection */
    UPSTREAM_CONNECTION_LOST, /* the connection ended before the answer did */
    UPSTREAM_QUEUE_FULL,      /* not asked: too many wait already */
    UPSTREAM_ABANDONED,       /* not asked: no one waits for the answer any more */
    UPSTREAM_RESULT_COUNT,
};

/* For a metric's label: "ok", "bad_status", ... */
const char *upstream_result_label(enum upstream_result result);

/* For a person: "pingpong did not answer within 2500 ms". `status` is the HTTP status. */
void upstream_result_describe(enum upstream_result result, long status, int64_t timeout_ms,
                              char *out, size_t size);

#endif
