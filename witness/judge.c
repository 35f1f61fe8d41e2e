#include "judge.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64
#define WORDS (JUDGE_WINDOW / WORD_BITS)

/* A floor below every number. */
#define NOTHING_ACKNOWLEDGED (-1)

struct judge {
    struct judge_counts counts;
    bool exclusive;
    bool any;             /* a number was seen: lowest and highest are set */
    int64_t distinct;     /* different numbers, of those that were cleared */
    int64_t unexplained;  /* the most numbers that were missing without explanation so far */
    uint64_t seen[WORDS]; /* by number modulo JUDGE_WINDOW, for those above highest - it */
};

struct judge *judge_create(bool exclusive)
{
    /* Large enough to be mapped: a page that is not touched costs nothing. */
    struct judge *judge = calloc(1, sizeof *judge);
    if (judge != NULL)
        judge->exclusive = exclusive;
    return judge;
}

void judge_destroy(struct judge *judge)
{
    free(judge);
}

static uint64_t *word_of(struct judge *judge, int64_t number)
{
    return &judge->seen[number % JUDGE_WINDOW / WORD_BITS];
}

static uint64_t bit_of(int64_t number)
{
    return UINT64_C(1) << (number % WORD_BITS);
}

/* Forgets what the numbers above the highest, up to `last`, overwrite. */
static void clear_up_to(struct judge *judge, int64_t last)
{
    int64_t count = last - judge->counts.highest;
    int64_t index = judge->counts.highest % JUDGE_WINDOW;

    if (count >= JUDGE_WINDOW) {
        memset(judge->seen, 0, sizeof judge->seen);
        return;
    }
    while (count > 0) {
        index = (index + 1) % JUDGE_WINDOW;
        int64_t taken = index % WORD_BITS == 0 && count >= WORD_BITS ? WORD_BITS : 1;
        *word_of(judge, index) &= taken == WORD_BITS ? 0 : ~bit_of(index);
        index += taken - 1;
        count -= taken;
    }
}

static void accept(struct judge *judge, int64_t number)
{
    struct judge_counts *counts = &judge->counts;

    if (!judge->any) {
        counts->lowest = counts->highest = number;
        judge->any = true;
    } else if (number > counts->highest) {
        clear_up_to(judge, number);
        counts->highest = number;
    } else if (number < counts->lowest) {
        counts->lowest = number;
    }
    *word_of(judge, number) |= bit_of(number);
    judge->distinct++;
}

static bool is_in_window(const struct judge *judge, int64_t number)
{
    return !judge->any || number > judge->counts.highest - JUDGE_WINDOW;
}

static bool was_seen(struct judge *judge, int64_t number)
{
    return judge->any && number <= judge->counts.highest && is_in_window(judge, number) &&
           (*word_of(judge, number) & bit_of(number)) != 0;
}

/* More than one may hold; the first is the one that says most. Returns JUDGE_VIOLATION_COUNT for
 * none. */
static enum judge_violation violation_of(struct judge *judge, int64_t floor, int64_t number)
{
    if (was_seen(judge, number))
        return JUDGE_REPEATED;
    if (number <= floor)
        return JUDGE_BACKWARDS;
    return is_in_window(judge, number) ? JUDGE_VIOLATION_COUNT : JUDGE_UNJUDGED;
}

/* Numbers that are missing although every request that could have them is accounted for. */
static unsigned look_for_missing(struct judge *judge)
{
    struct judge_counts *counts = &judge->counts;

    if (!judge->exclusive || !judge->any)
        return 0;
    counts->missing = counts->highest - counts->lowest - (judge->distinct - 1);
    int64_t unexplained =
        counts->missing - (int64_t)counts->may_be_counted - (int64_t)counts->in_flight;
    if (unexplained <= judge->unexplained)
        return 0;
    counts->violations[JUDGE_MISSING] += (uint64_t)(unexplained - judge->unexplained);
    judge->unexplained = unexplained;
    return 1U << JUDGE_MISSING;
}

int64_t judge_sent(struct judge *judge)
{
    judge->counts.in_flight++;
    return judge->any ? judge->counts.highest : NOTHING_ACKNOWLEDGED;
}

unsigned judge_answered(struct judge *judge, int64_t floor, int64_t number)
{
    struct judge_counts *counts = &judge->counts;
    enum judge_violation violation = violation_of(judge, floor, number);
    unsigned violations = 0;

    counts->in_flight--;
    counts->judged++;
    if (violation == JUDGE_VIOLATION_COUNT) {
        accept(judge, number);
    } else {
        counts->violations[violation]++;
        violations = 1U << violation;
        /* Its own number, if it had one, is not known. */
        counts->may_be_counted++;
    }
    return violations | look_for_missing(judge);
}

unsigned judge_failed(struct judge *judge, bool may_be_counted)
{
    judge->counts.in_flight--;
    if (may_be_counted)
        judge->counts.may_be_counted++;
    return look_for_missing(judge);
}

struct judge_counts judge_counts(const struct judge *judge)
{
    return judge->counts;
}

const char *judge_violation_label(enum judge_violation violation)
{
    static const char *const labels[JUDGE_VIOLATION_COUNT] = {
        [JUDGE_REPEATED] = "repeated",
        [JUDGE_BACKWARDS] = "backwards",
        [JUDGE_UNJUDGED] = "unjudged",
        [JUDGE_MISSING] = "missing",
    };
    return labels[violation];
}
