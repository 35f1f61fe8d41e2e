#include "faults/burner.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* Short, so that no request waits long behind it for the processor, and the end comes soon. */
#define PERIOD_NS 5000000

struct burner {
    pthread_t thread;
    int64_t busy_ns; /* of each period */
    atomic_bool stop;
};

static int64_t processor_time_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* Processor time, not time that passes: a thread that waits for its turn burns nothing. */
static void *run(void *context)
{
    struct burner *burner = context;
    const struct timespec rest = {.tv_nsec = PERIOD_NS - burner->busy_ns};

    while (!atomic_load_explicit(&burner->stop, memory_order_relaxed)) {
        int64_t end_ns = processor_time_ns() + burner->busy_ns;
        while (processor_time_ns() < end_ns)
            continue;
        if (rest.tv_nsec > 0)
            nanosleep(&rest, NULL);
    }
    return NULL;
}

int burner_create(struct burner **created, double share)
{
    struct burner *burner = calloc(1, sizeof *burner);
    if (burner == NULL)
        return -1;
    burner->busy_ns = (int64_t)(share * PERIOD_NS);
    int failed = pthread_create(&burner->thread, NULL, run, burner);
    if (failed != 0) {
        free(burner);
        errno = failed;
        return -1;
    }
    *created = burner;
    return 0;
}

void burner_destroy(struct burner *burner)
{
    if (burner == NULL)
        return;
    atomic_store_explicit(&burner->stop, true, memory_order_relaxed);
    pthread_join(burner->thread, NULL);
    free(burner);
}
