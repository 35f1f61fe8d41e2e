/* witness/verdict.h - the verdict: whether the promises held, and all that was seen. One thread. */
#ifndef WITNESS_VERDICT_H
#define WITNESS_VERDICT_H

#include "attributes.h"
#include "judge.h"
#include "outage.h"
#include "tally.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct verdict_parts {
    bool exclusive;
    const struct judge_counts *counts;
    const struct tally *tally;
    const struct outages *outages;
    uint64_t lines_lost;
};

/* Sets *held: nothing was violated, and something was answered; who saw nothing has nothing to
 * testify. Returns the line for report_write(), NULL if out of memory. */
MUST_CHECK cJSON *verdict_make(const struct verdict_parts *parts, int64_t now_ns, bool *held);

#endif
