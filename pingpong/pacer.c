#include "pacer.h"

#include <math.h>

/* A window is what one comparison is made by: enough batches, and enough pings or time. Before one
 * the batches in which the clients fall into step are passed over. */
#define WINDOW_BATCHES 64
#define WINDOW_PINGS 16384
#define WINDOW_NS 200000000
#define SETTLING_BATCHES 8

/* Windows before the first trial of a load and between two. Doubled when one brings nothing, so
 * that trials cost next to nothing where nothing changes. */
#define FIRST_TRIAL 2
#define TRIAL_INTERVAL_MIN 8
#define TRIAL_INTERVAL_MAX 64

/* Less of a difference is not worth a change, or taken for chance. Of pings that come independently
 * of each other, two windows of n differ by sqrt(2 / n) of it: three times that is rare. */
#define WORTHWHILE 0.05
#define CHANCE_SIGMAS 3

/* A shorter wait counts only without a sign that fewer pings are answered. */
#define UNDIMINISHED 0.98

/* A window with so much more or less than usual is of another load. */
#define OTHER_LOAD 0.5

/* The last window's weight in the mean of the usual way's windows. */
#define USUAL_WEIGHT 0.3

/* The longest wait, in commits. 64 clients that ask again as soon as they are answered are all back
 * after about two commits of a quarter of a millisecond each; see docs/performance.md. */
#define HOLD_COMMITS 3

/* One commit's weight in the mean. */
#define COMMIT_WEIGHT 0.1

static void begin_window(struct pacer *pacer, int64_t passed_over)
{
    pacer->window_batches = -passed_over;
    pacer->window_pings = 0;
    pacer->window_waited_ns = 0;
}

void pacer_init(struct pacer *pacer)
{
    *pacer = (struct pacer){.windows_left = FIRST_TRIAL, .trial_interval = TRIAL_INTERVAL_MIN};
    begin_window(pacer, SETTLING_BATCHES);
}

void pacer_committed(struct pacer *pacer, int64_t now_ns, int64_t took_ns, int64_t expected)
{
    double took = (double)took_ns;

    pacer->commit_ns += (took - pacer->commit_ns) * (pacer->commit_ns > 0 ? COMMIT_WEIGHT : 1);
    if (!pacer->holding)
        return;
    double hold_ns = HOLD_COMMITS * pacer->commit_ns;
    if (hold_ns > PACER_HOLD_MAX_NS)
        hold_ns = PACER_HOLD_MAX_NS;
    pacer->hold_until_ns = now_ns + (int64_t)hold_ns;
    /* A few stragglers are not waited for. */
    pacer->target = expected - expected / 8;
}

bool pacer_holds(const struct pacer *pacer, int64_t now_ns, int64_t waiting)
{
    return waiting < pacer->target && now_ns < pacer->hold_until_ns;
}

int64_t pacer_hold_ms(const struct pacer *pacer)
{
    return pacer->hold_until_ns / 1000000 + 1;
}

void pacer_sent(struct pacer *pacer)
{
    pacer->target = 0;
}

/* Whether the one is better than what is usual. `pings` is how many it was measured by. */
static bool is_better(const struct pacer_measure *tried, const struct pacer_measure *usual,
                      int64_t pings)
{
    double chance = CHANCE_SIGMAS * sqrt(2 / (double)pings);
    double margin = chance > WORTHWHILE ? chance : WORTHWHILE;

    if (tried->pings_a_s > (1 + margin) * usual->pings_a_s)
        return true;
    return tried->pings_a_s > UNDIMINISHED * usual->pings_a_s &&
           tried->wait_ns < (1 - WORTHWHILE) * usual->wait_ns;
}

static void begin_trial(struct pacer *pacer)
{
    pacer->trying = true;
    pacer->holding = !pacer->holding;
}

static void end_trial(struct pacer *pacer, const struct pacer_measure *tried, int64_t pings)
{
    pacer->trying = false;
    if (is_better(tried, &pacer->usual, pings)) {
        pacer->usual = *tried;
        pacer->trial_interval = TRIAL_INTERVAL_MIN;
    } else {
        pacer->holding = !pacer->holding;
        if (pacer->trial_interval < TRIAL_INTERVAL_MAX)
            pacer->trial_interval *= 2;
    }
    pacer->windows_left = pacer->trial_interval;
}

static void note_usual(struct pacer *pacer, const struct pacer_measure *measured)
{
    struct pacer_measure *usual = &pacer->usual;

    if (fabs(measured->pings_a_s - usual->pings_a_s) > OTHER_LOAD * usual->pings_a_s) {
        /* What was found out is of another load. */
        *usual = *measured;
        pacer->trial_interval = TRIAL_INTERVAL_MIN;
        pacer->windows_left = FIRST_TRIAL;
    } else {
        usual->pings_a_s += (measured->pings_a_s - usual->pings_a_s) * USUAL_WEIGHT;
        usual->wait_ns += (measured->wait_ns - usual->wait_ns) * USUAL_WEIGHT;
        pacer->windows_left--;
    }
}

static void end_window(struct pacer *pacer, int64_t took_ns)
{
    const struct pacer_measure measured = {
        .pings_a_s = (double)pacer->window_pings * 1e9 / (double)took_ns,
        .wait_ns = pacer->window_waited_ns / (double)pacer->window_pings,
    };
    bool was_trying = pacer->trying;

    if (was_trying) {
        end_trial(pacer, &measured, pacer->window_pings);
    } else {
        note_usual(pacer, &measured);
        if (pacer->windows_left <= 0)
            begin_trial(pacer);
    }
    begin_window(pacer, was_trying || pacer->trying ? SETTLING_BATCHES : 0);
}

void pacer_observe(struct pacer *pacer, int64_t now_ns, int64_t pings, int64_t waited_ns)
{
    /* The first batch of a window only begins it. */
    if (++pacer->window_batches <= 1) {
        pacer->window_begin_ns = now_ns;
        return;
    }
    pacer->window_pings += pings;
    pacer->window_waited_ns += (double)waited_ns;
    int64_t took_ns = now_ns - pacer->window_begin_ns;
    if (pacer->window_batches > WINDOW_BATCHES && pacer->window_pings > 0 &&
        (pacer->window_pings >= WINDOW_PINGS || took_ns >= WINDOW_NS) && took_ns > 0)
        end_window(pacer, took_ns);
}
