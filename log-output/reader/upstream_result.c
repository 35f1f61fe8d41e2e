#include "upstream_result.h"

#include <stdio.h>

const char *upstream_result_label(enum upstream_result result)
{
    static const char *const labels[UPSTREAM_RESULT_COUNT] = {
        [UPSTREAM_OK] = "ok",
        [UPSTREAM_BAD_STATUS] = "bad_status",
        [UPSTREAM_NONSENSE] = "nonsense",
        [UPSTREAM_TIMED_OUT] = "timed_out",
        [UPSTREAM_UNRESOLVED] = "unresolved",
        [UPSTREAM_UNREACHABLE] = "unreachable",
        [UPSTREAM_CONNECTION_LOST] = "connection_lost",
        [UPSTREAM_QUEUE_FULL] = "queue_full",
        [UPSTREAM_ABANDONED] = "abandoned",
    };
    return labels[result];
}

void upstream_result_describe(enum upstream_result result, long status, int64_t timeout_ms,
                              char *out, size_t size)
{
    static const char *const words[UPSTREAM_RESULT_COUNT] = {
        [UPSTREAM_OK] = "pingpong answered",
        [UPSTREAM_NONSENSE] = "pingpong answered with something else than a pong",
        [UPSTREAM_UNRESOLVED] = "the host name of pingpong cannot be resolved",
        [UPSTREAM_UNREACHABLE] = "cannot connect to pingpong",
        [UPSTREAM_CONNECTION_LOST] = "the connection to pingpong was lost",
        [UPSTREAM_QUEUE_FULL] = "too many views wait for pingpong already",
        [UPSTREAM_ABANDONED] = "the view was given up",
    };

    if (result == UPSTREAM_BAD_STATUS)
        snprintf(out, size, "pingpong answered with status %ld", status);
    else if (result == UPSTREAM_TIMED_OUT)
        snprintf(out, size, "pingpong did not answer within %lld ms", (long long)timeout_ms);
    else
        snprintf(out, size, "%s", words[result]);
}
