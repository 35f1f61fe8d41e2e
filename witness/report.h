/* witness/report.h - JSON lines on standard output, one object each, without stalling the loop.
 * Everything belongs to one thread. */
#ifndef WITNESS_REPORT_H
#define WITNESS_REPORT_H

#include "answerer.h"
#include "attributes.h"
#include "latency.h"

#include <cjson/cJSON.h>
#include <stdint.h>

/* {"time":"...","event":"..."}; NULL if out of memory, which all functions here bear. Owned by the
 * caller. */
MUST_CHECK cJSON *report_event(const char *event);

/* Adds a whole number, all digits of it. */
void report_add_integer(cJSON *object, const char *name, int64_t value);

/* Adds a duration in seconds, to the millisecond. */
void report_add_seconds(cJSON *object, const char *name, int64_t duration_ns);

/* Adds a time on the monotonic clock as what the real one showed then. */
void report_add_time(cJSON *object, const char *name, int64_t monotonic_ns);

/* Adds {"version":...,"commit":...,"instance":...} without what is unknown; null if all is. */
void report_add_answerer(cJSON *object, const char *name, const struct answerer *answerer);

/* Adds "latency_ms": {"p50":...,"p99":...,"max":...}. */
void report_add_latency(cJSON *object, const struct latency *latency);

/* Writes the line and deletes `object`. Waits at most `wait_ms` for room. Returns 0, or -1 if the
 * line, or its end, was lost. */
int report_write(cJSON *object, int64_t wait_ms);

#endif
