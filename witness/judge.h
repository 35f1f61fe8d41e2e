/* witness/judge.h - what the numbers prove: judges each answer as it comes, in bounded memory.
 *
 * Two rules for every number. It was not seen before; and it is larger than every number that was
 * acknowledged before its request was sent, the request's floor. Whether a number was seen is
 * remembered for the JUDGE_WINDOW numbers below the highest. A number further down is still judged
 * by its floor, which finds every repeat of what was acknowledged before: it then counts as
 * backwards, for nobody knows any more whether it was given before. Only one that is above its
 * floor and below the window, which takes a request during which the count grew by more than
 * JUDGE_WINDOW, can be neither cleared nor convicted: it counts as unjudged, and against the
 * service, since then nobody can say that no number was given twice.
 *
 * If nobody else pings, also: between the lowest and the highest number none is missing, but for
 * as many as requests are in flight or may have been counted without a number that came.
 *
 * Touches nothing else. One thread.
 */
#ifndef WITNESS_JUDGE_H
#define WITNESS_JUDGE_H

#include "attributes.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers; a bit for each: 2 MiB, of which only what is used takes memory. A pingpong that counts
 * 150,000 a second needs two minutes for so many. */
#define JUDGE_WINDOW (INT64_C(1) << 24)

enum judge_violation {
    JUDGE_REPEATED,  /* seen before */
    JUDGE_BACKWARDS, /* not above the request's floor, and not known to have been seen */
    JUDGE_UNJUDGED,  /* see above */
    JUDGE_MISSING,   /* exclusive: more numbers are missing than can be explained */
    JUDGE_VIOLATION_COUNT,
};

struct judge;

struct judge_counts {
    uint64_t judged; /* answers with a number */
    uint64_t violations[JUDGE_VIOLATION_COUNT];
    int64_t lowest, highest; /* numbers; 0 until there is one */
    int64_t missing;         /* exclusive: between them, explained or not */
    uint64_t may_be_counted; /* failures that explain as many of those */
    uint64_t in_flight;
};

/* Returns NULL if out of memory. */
MUST_CHECK struct judge *judge_create(bool exclusive);

/* Accepts NULL. */
void judge_destroy(struct judge *judge);

/* A request is about to be sent. Returns its floor. It ends by one of the next two calls. */
int64_t judge_sent(struct judge *judge);

/* It was answered with `number`, of at least 0. Returns what was violated now: bits, by enum
 * judge_violation; 0 for nothing. */
unsigned judge_answered(struct judge *judge, int64_t floor, int64_t number);

/* It ended without a number. Returns as above. */
unsigned judge_failed(struct judge *judge, bool may_be_counted);

struct judge_counts judge_counts(const struct judge *judge);

/* For a metric's label: "repeated", ... */
const char *judge_violation_label(enum judge_violation violation);

#endif
