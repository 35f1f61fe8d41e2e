/* witness/tally.h - how many requests ended how, by version and in what time, and the metrics of
 * it. One thread. */
#ifndef WITNESS_TALLY_H
#define WITNESS_TALLY_H

#include "latency.h"
#include "metrics.h"
#include "reading.h"
#include "versions.h"

#include <stdint.h>
#include <stdio.h>

/* Since the start, or since a summary. */
struct tally_part {
    int64_t since_ns;
    uint64_t outcomes[OUTCOME_COUNT];
    struct latency latency; /* of the answered ones */
};

struct tally {
    struct tally_part total, recent;
    struct versions versions;
    uint64_t unanswered[OUTCOME_COUNT]; /* by nobody who says a version */
    struct histogram duration;          /* of all, failures too */
};

void tally_init(struct tally *tally, int64_t now_ns);

/* A request ended. Returns the row of the version that answered and sets *appeared; or returns
 * VERSIONS_OTHER. */
size_t tally_add(struct tally *tally, const struct reading *reading, int64_t planned_ns,
                 int64_t ended_ns, bool *appeared);

/* Begins `recent` anew. */
void tally_restart(struct tally *tally, int64_t now_ns);

uint64_t tally_part_count(const struct tally_part *part);

/* Writes witness_requests_total and witness_request_duration_seconds. */
void tally_write_metrics(const struct tally *tally, FILE *out);

#endif
