/* witness/outage.h - when an outage began and when it was over, by the planned starts of requests.
 *
 * An outage begins with a request that fails, at its planned start, and lasts until the planned
 * start of the first answered request that was planned after the last one that failed. Failures
 * less than OUTAGE_QUIET_NS apart are one outage: it is over once a request is answered that was
 * planned so long after the last that failed. Touches nothing else. One thread.
 */
#ifndef WITNESS_OUTAGE_H
#define WITNESS_OUTAGE_H

#include "answerer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTAGE_QUIET_NS INT64_C(1000000000)
#define OUTAGE_REASON_SIZE 160

struct outage {
    bool open;
    int64_t began_ns;       /* planned start of the first request that failed */
    int64_t ended_ns;       /* of the first answered one after the last that failed */
    int64_t last_failed_ns; /* planned start */
    uint64_t failed;        /* requests */
    uint64_t may_be_counted;
    char reason[OUTAGE_REASON_SIZE]; /* of the first failure that was seen */
    struct answerer before, after;   /* who answered; all "" if nobody has */
};

struct outages {
    struct outage current;
    bool is_over_possible; /* current.ended_ns is set */
    struct answerer last_answered;
    uint64_t count;
    int64_t ended_total_ns; /* length of all that are over */
};

/* A request failed. Returns true if that began an outage. */
bool outages_fail(struct outages *outages, int64_t planned_ns, bool may_be_counted,
                  const char *reason);

/* A request was answered by `answerer`. Returns true if that ended the outage: then `current` says
 * which, until the next one begins. */
bool outages_answer(struct outages *outages, int64_t planned_ns, const struct answerer *answerer);

/* Length of all outages, the open one until `until_ns`. With its own last_failed_ns the sum never
 * becomes less. */
int64_t outages_total_ns(const struct outages *outages, int64_t until_ns);

#endif
