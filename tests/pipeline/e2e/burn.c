/* The bad version: preloaded into pingpong, it uses half a processor for nothing, while
 * every request is still answered. Only a look at the processor time can tell. */
#include <pthread.h>
#include <stddef.h>
#include <time.h>

enum { BUSY_MS = 50, IDLE_MS = 50 };

static long elapsed_ms(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static void *burn(void *unused)
{
    const struct timespec idle = {.tv_nsec = IDLE_MS * 1000000L};
    for (;;) {
        struct timespec start;
        clock_gettime(CLOCK_MONOTONIC, &start);
        while (elapsed_ms(&start) < BUSY_MS) {
        }
        nanosleep(&idle, NULL);
    }
    return unused;
}

__attribute__((constructor)) static void start_burning(void)
{
    pthread_t thread;
    (void)pthread_create(&thread, NULL, burn, NULL);
}
