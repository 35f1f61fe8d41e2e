#include "latency.h"

#include <math.h>
#include <stddef.h>

#define STEP_BITS 3
#define STEPS_A_DOUBLING (1 << STEP_BITS)

/* The highest bit says which doubling, the three below it which step. */
static size_t step_of(uint64_t duration_ns)
{
    if (duration_ns < STEPS_A_DOUBLING)
        return (size_t)duration_ns;
    unsigned exponent = 63U - (unsigned)__builtin_clzll(duration_ns);
    uint64_t step = duration_ns >> (exponent - STEP_BITS) & (STEPS_A_DOUBLING - 1);
    size_t index = (size_t)(exponent - STEP_BITS + 1) * STEPS_A_DOUBLING + (size_t)step;
    return index < LATENCY_STEPS ? index : LATENCY_STEPS - 1;
}

/* The largest duration of a step. */
static int64_t end_of(size_t index)
{
    if (index < STEPS_A_DOUBLING)
        return (int64_t)index;
    unsigned exponent = (unsigned)(index / STEPS_A_DOUBLING) + STEP_BITS - 1;
    uint64_t step = index % STEPS_A_DOUBLING + STEPS_A_DOUBLING + 1;
    return (int64_t)((step << (exponent - STEP_BITS)) - 1);
}

void latency_observe(struct latency *latency, int64_t duration_ns)
{
    if (duration_ns < 0)
        duration_ns = 0;
    latency->counts[step_of((uint64_t)duration_ns)]++;
    latency->count++;
    if (duration_ns > latency->max_ns)
        latency->max_ns = duration_ns;
}

int64_t latency_quantile_ns(const struct latency *latency, double quantile)
{
    uint64_t wanted = (uint64_t)ceil(quantile * (double)latency->count);
    uint64_t passed = 0;

    for (size_t i = 0; i < LATENCY_STEPS - 1; i++) {
        passed += latency->counts[i];
        if (latency->counts[i] > 0 && passed >= wanted)
            return end_of(i) < latency->max_ns ? end_of(i) : latency->max_ns;
    }
    return latency->max_ns;
}
