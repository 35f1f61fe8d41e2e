#include "schedule.h"

#define NS_PER_S INT64_C(1000000000)

void schedule_init(struct schedule *schedule, int64_t start_ns, int64_t rate, int64_t duration_s)
{
    *schedule = (struct schedule){
        .start_ns = start_ns, .rate = rate, .count = rate * duration_s, .next = 0};
}

/* By whole seconds and the rest, so that neither rounding nor overflow adds up. */
int64_t schedule_next_ns(const struct schedule *schedule)
{
    int64_t seconds = schedule->next / schedule->rate;
    int64_t rest = schedule->next % schedule->rate;
    return schedule->start_ns + seconds * NS_PER_S + rest * NS_PER_S / schedule->rate;
}

bool schedule_is_over(const struct schedule *schedule)
{
    return schedule->count != 0 && schedule->next >= schedule->count;
}

bool schedule_take(struct schedule *schedule, int64_t now_ns, int64_t *planned_ns)
{
    if (schedule_is_over(schedule))
        return false;
    *planned_ns = schedule_next_ns(schedule);
    if (*planned_ns > now_ns)
        return false;
    schedule->next++;
    return true;
}
