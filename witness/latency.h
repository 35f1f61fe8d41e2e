/* witness/latency.h - durations counted in steps of an eighth, for quantiles in bounded memory.
 *
 * A quantile that is read is the upper end of its step: at most an eighth too large, never too
 * small. Touches nothing else. One thread.
 */
#ifndef WITNESS_LATENCY_H
#define WITNESS_LATENCY_H

#include <stdint.h>

/* Eight steps for each doubling, up to an hour. What is longer is read as the longest seen. */
#define LATENCY_STEPS (43 * 8)

struct latency {
    uint64_t counts[LATENCY_STEPS];
    uint64_t count;
    int64_t max_ns;
};

void latency_observe(struct latency *latency, int64_t duration_ns);

/* The duration that a share of `quantile` (0 to 1) did not exceed, in ns; 0 if there is none. */
int64_t latency_quantile_ns(const struct latency *latency, double quantile);

#endif
