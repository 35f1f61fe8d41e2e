/* client/result.h - how asking another service can end: the codes and their labels. Any thread. */
#ifndef COMMON_CLIENT_RESULT_H
#define COMMON_CLIENT_RESULT_H

enum client_result {
    CLIENT_OK,
    CLIENT_BAD_STATUS,      /* answered, but not with 200 */
    CLIENT_NONSENSE,        /* answered with what is not HTTP, too large or not understood */
    CLIENT_TIMED_OUT,       /* no whole answer within the time, waiting for a turn included */
    CLIENT_UNRESOLVED,      /* no address is known for the host name */
    CLIENT_UNREACHABLE,     /* no connection */
    CLIENT_CONNECTION_LOST, /* the connection ended before the answer did */
    CLIENT_QUEUE_FULL,      /* not asked: too many wait already */
    CLIENT_ABANDONED,       /* not asked: no one waits for the answer any more */
    CLIENT_RESULT_COUNT,
};

/* For a metric's label: "ok", "bad_status", ... */
const char *client_result_label(enum client_result result);

#endif
