#include "client/result.h"

const char *client_result_label(enum client_result result)
{
    static const char *const labels[CLIENT_RESULT_COUNT] = {
        [CLIENT_OK] = "ok",
        [CLIENT_BAD_STATUS] = "bad_status",
        [CLIENT_NONSENSE] = "nonsense",
        [CLIENT_TIMED_OUT] = "timed_out",
        [CLIENT_UNRESOLVED] = "unresolved",
        [CLIENT_UNREACHABLE] = "unreachable",
        [CLIENT_CONNECTION_LOST] = "connection_lost",
        [CLIENT_QUEUE_FULL] = "queue_full",
        [CLIENT_ABANDONED] = "abandoned",
    };
    return labels[result];
}
