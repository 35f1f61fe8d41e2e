/* pacer.h - whether the next batch is sent at once, or waits a moment for more pings.
 *
 * A batch sent the moment the database is free carries those that came during the last commit. The
 * clients just answered come back a moment later and wait for two commits, and so the clients part
 * into two groups that take turns. Where a commit takes long beside the coming back, all together
 * in one batch are answered sooner; where clients do not wait for their answers before they come
 * again, holding a batch back only makes them wait. Nothing tells which of the two it is, so the
 * pacer tries both now and then and keeps to the way that answers more pings a second (clients that
 * wait for answers ask more often if they come sooner) or, if there is no difference beyond chance,
 * lets them wait less.
 *
 * It has no clock: times are handed in. One thread.
 */
#ifndef PINGPONG_PACER_H
#define PINGPONG_PACER_H

#include <stdbool.h>
#include <stdint.h>

/* However long a commit takes, no batch is held back longer. */
#define PACER_HOLD_MAX_NS 10000000

/* How one way does. */
struct pacer_measure {
    double pings_a_s;
    double wait_ns; /* of a ping, on average */
};

struct pacer {
    bool holding;           /* what is done at present */
    bool trying;            /* at present the other way is tried */
    int64_t windows_left;   /* until it is tried again */
    int64_t trial_interval; /* in windows */
    struct pacer_measure usual;

    int64_t window_batches; /* negative: batches to pass over first */
    int64_t window_begin_ns;
    int64_t window_pings;
    double window_waited_ns;

    double commit_ns;      /* mean of the last ones */
    int64_t target;        /* pings that the next batch waits for; 0: it does not wait */
    int64_t hold_until_ns; /* and for how long */
};

void pacer_init(struct pacer *pacer);

/* A batch was committed, `took_ns` after it was sent. `expected` is how many pings may soon be
 * waiting: those of that batch, whose clients may come again, and those that wait already. */
void pacer_committed(struct pacer *pacer, int64_t now_ns, int64_t took_ns, int64_t expected);

/* Whether a batch of `waiting` pings is to wait for more. */
bool pacer_holds(const struct pacer *pacer, int64_t now_ns, int64_t waiting);

/* The millisecond, monotonic, by which the hold is over. */
int64_t pacer_hold_ms(const struct pacer *pacer);

/* The next batch is sent: it holds no longer. */
void pacer_sent(struct pacer *pacer);

/* So many pings of one batch are answered at `now_ns`, which together had waited so long. */
void pacer_observe(struct pacer *pacer, int64_t now_ns, int64_t pings, int64_t waited_ns);

#endif
