/* witness/schedule.h - when each request of an open loop is to start, whatever became of those
 * before. Touches nothing else. One thread. */
#ifndef WITNESS_SCHEDULE_H
#define WITNESS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
    int64_t start_ns; /* monotonic: of request 0 */
    int64_t rate;     /* requests a second */
    int64_t count;    /* requests in all; 0: no end */
    int64_t next;     /* the request whose turn is next */
};

/* `duration_s` of 0: for ever. */
void schedule_init(struct schedule *schedule, int64_t start_ns, int64_t rate, int64_t duration_s);

/* Planned start of the next request. */
int64_t schedule_next_ns(const struct schedule *schedule);

/* Every request has had its turn. */
bool schedule_is_over(const struct schedule *schedule);

/* Takes the next request if its time has come by `now_ns`, and sets *planned_ns. */
bool schedule_take(struct schedule *schedule, int64_t now_ns, int64_t *planned_ns);

#endif
