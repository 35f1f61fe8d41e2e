/* witness/lines.h - the JSON lines that tell what was seen, but for the verdict. Each function
 * returns an object for report_write(), NULL if out of memory. One thread. */
#ifndef WITNESS_LINES_H
#define WITNESS_LINES_H

#include "attributes.h"
#include "judge.h"
#include "outage.h"
#include "reading.h"
#include "tally.h"
#include "versions.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

MUST_CHECK cJSON *lines_summary(const struct tally_part *recent, const struct judge_counts *counts,
                                bool outage, int64_t now_ns);

/* `event`: version_appeared or version_gone. */
MUST_CHECK cJSON *lines_version(const char *event, const struct versions *versions, size_t row);

MUST_CHECK cJSON *lines_violation(enum judge_violation violation, int64_t floor,
                                  const struct reading *reading, const struct judge_counts *counts);

/* `event`: outage_began or, when it is over, outage_ended. */
MUST_CHECK cJSON *lines_outage(const char *event, const struct outage *outage);

/* A request that ended, answered or not. Times are monotonic. */
MUST_CHECK cJSON *lines_request(const struct reading *reading, int64_t planned_ns,
                                int64_t ended_ns);

/* Parts that the verdict has too. */
void lines_add_outcomes(cJSON *line, const struct tally_part *part);
void lines_add_violations(cJSON *line, const struct judge_counts *counts);

#endif
