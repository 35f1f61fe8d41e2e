/* backoff.h - pauses between attempts: doubling to about a second, each between half and all of it
 * by chance, so that replicas that lost the same database do not return in step. One thread. */
#ifndef PINGPONG_BACKOFF_H
#define PINGPONG_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 50
#define BACKOFF_LONGEST_MS 1000

/* Starts zeroed. */
struct backoff {
    int64_t longest_ms; /* of the next pause; 0: none yet */
};

/* How long to pause now. */
int64_t backoff_next_ms(struct backoff *backoff);

/* An attempt led to something: the next pause is short again. */
void backoff_reset(struct backoff *backoff);

#endif
