#include "outage.h"

#include <stdio.h>

static void begin(struct outages *outages, int64_t planned_ns, const char *reason)
{
    struct outage *outage = &outages->current;

    *outage = (struct outage){.open = true,
                              .began_ns = planned_ns,
                              .last_failed_ns = planned_ns,
                              .before = outages->last_answered};
    snprintf(outage->reason, sizeof outage->reason, "%s", reason);
    outages->is_over_possible = false;
    outages->count++;
}

bool outages_fail(struct outages *outages, int64_t planned_ns, bool may_be_counted,
                  const char *reason)
{
    struct outage *outage = &outages->current;
    bool begins = !outage->open;

    if (begins)
        begin(outages, planned_ns, reason);
    outage->failed++;
    if (may_be_counted)
        outage->may_be_counted++;
    if (planned_ns < outage->began_ns)
        outage->began_ns = planned_ns;
    if (planned_ns > outage->last_failed_ns)
        outage->last_failed_ns = planned_ns;
    if (outages->is_over_possible && outage->ended_ns <= outage->last_failed_ns)
        outages->is_over_possible = false;
    return begins;
}

static void note_recovery(struct outages *outages, int64_t planned_ns,
                          const struct answerer *answerer)
{
    struct outage *outage = &outages->current;

    if (planned_ns <= outage->last_failed_ns ||
        (outages->is_over_possible && planned_ns >= outage->ended_ns))
        return;
    outages->is_over_possible = true;
    outage->ended_ns = planned_ns;
    outage->after = *answerer;
}

bool outages_answer(struct outages *outages, int64_t planned_ns, const struct answerer *answerer)
{
    struct outage *outage = &outages->current;

    outages->last_answered = *answerer;
    if (!outage->open)
        return false;
    note_recovery(outages, planned_ns, answerer);
    if (planned_ns - outage->last_failed_ns < OUTAGE_QUIET_NS)
        return false;
    outage->open = false;
    outages->ended_total_ns += outage->ended_ns - outage->began_ns;
    return true;
}

int64_t outages_total_ns(const struct outages *outages, int64_t until_ns)
{
    const struct outage *outage = &outages->current;
    return outages->ended_total_ns + (outage->open ? until_ns - outage->began_ns : 0);
}
