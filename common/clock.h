/* clock.h - the two clocks and the one timestamp format.
 *
 * Deadlines and durations use the monotonic clock, which no one can set; only what a person or
 * another process reads uses the realtime clock. All functions may be called from any thread.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include "attributes.h"

#include <stddef.h>
#include <stdint.h>

/* Length of "2025-07-21T10:30:00.123Z", the RFC 3339 form that JavaScript's toISOString() writes,
 * and the size of a buffer that holds it with its terminator. */
#define CLOCK_TIMESTAMP_LENGTH 24
#define CLOCK_TIMESTAMP_SIZE (CLOCK_TIMESTAMP_LENGTH + 1)

/* Milliseconds, or nanoseconds, since an arbitrary start; never goes back. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_ns(void);

/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_realtime_ms(void);

/* Writes `realtime_ms` as RFC 3339 UTC with milliseconds. Years 0 to 9999 are expressible; a time
 * outside them is clamped to the nearest that is. */
void clock_format_timestamp(int64_t realtime_ms, char out[CLOCK_TIMESTAMP_SIZE]);

/* Reads exactly the form that clock_format_timestamp() writes; `text` needs no terminator.
 * Returns 0 and sets *realtime_ms, or -1 if the text is anything else (a leap second's :60 and
 * a 30 February included). */
MUST_CHECK int clock_parse_timestamp(const char *text, size_t length, int64_t *realtime_ms);

#endif
