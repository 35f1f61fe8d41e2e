#include "pong_result.h"

#include <stdio.h>

void pong_result_describe(enum client_result result, long status, int64_t timeout_ms, char *out,
                          size_t size)
{
    static const char *const words[CLIENT_RESULT_COUNT] = {
        [CLIENT_OK] = "pingpong answered",
        [CLIENT_NONSENSE] = "pingpong answered with something else than a pong",
        [CLIENT_UNRESOLVED] = "the host name of pingpong cannot be resolved",
        [CLIENT_UNREACHABLE] = "cannot connect to pingpong",
        [CLIENT_CONNECTION_LOST] = "the connection to pingpong was lost",
        [CLIENT_QUEUE_FULL] = "too many views wait for pingpong already",
        [CLIENT_ABANDONED] = "the view was given up",
    };

    if (result == CLIENT_BAD_STATUS)
        snprintf(out, size, "pingpong answered with status %ld", status);
    else if (result == CLIENT_TIMED_OUT)
        snprintf(out, size, "pingpong did not answer within %lld ms", (long long)timeout_ms);
    else
        snprintf(out, size, "%s", words[result]);
}
