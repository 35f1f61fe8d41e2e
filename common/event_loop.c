#include "event_loop.h"

#include "clock.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STEPS_MAX 16
#define EVENTS_PER_PASS 64

/* One for each descriptor number that was ever watched. The generation tells an event that is
 * still pending in this pass from one of a later watch of the same number. */
struct watch {
    event_loop_callback *callback; /* NULL: not watched */
    void *context;
    uint32_t generation;
};

struct step {
    event_loop_step *run;
    void *context;
};

struct event_loop {
    int epoll_fd;
    int signal_fd;
    bool stopping;
    struct watch *watches;
    size_t watch_count;
    struct step steps[STEPS_MAX];
    size_t step_count;
    void (*on_signal)(void *context);
    void *signal_context;
};

int event_loop_create(struct event_loop **created)
{
    struct event_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return -1;
    loop->signal_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        free(loop);
        return -1;
    }
    *created = loop;
    return 0;
}

void event_loop_destroy(struct event_loop *loop)
{
    if (loop == NULL)
        return;
    if (loop->signal_fd >= 0)
        close(loop->signal_fd);
    close(loop->epoll_fd);
    free(loop->watches);
    free(loop);
}

static int make_room(struct event_loop *loop, int fd)
{
    size_t needed = (size_t)fd + 1;
    if (needed <= loop->watch_count)
        return 0;
    size_t count = needed + 16;
    struct watch *watches = realloc(loop->watches, count * sizeof *watches);
    if (watches == NULL)
        return -1;
    memset(watches + loop->watch_count, 0, (count - loop->watch_count) * sizeof *watches);
    loop->watches = watches;
    loop->watch_count = count;
    return 0;
}

int event_loop_watch(struct event_loop *loop, int fd, uint32_t events,
                     event_loop_callback *callback, void *context)
{
    if (make_room(loop, fd) != 0)
        return -1;
    struct watch *watch = &loop->watches[fd];
    bool known = watch->callback != NULL;
    if (!known)
        watch->generation++;
    struct epoll_event event = {
        .events = events,
        .data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd,
    };
    /* A library may have closed the descriptor, which ends epoll's watch, and got the same number
     * again for another one. */
    int result = -1;
    if (known)
        result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    if (!known || (result != 0 && errno == ENOENT))
        result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    if (result != 0)
        return -1;
    watch->callback = callback;
    watch->context = context;
    return 0;
}

void event_loop_forget(struct event_loop *loop, int fd)
{
    if (fd < 0 || (size_t)fd >= loop->watch_count || loop->watches[fd].callback == NULL)
        return;
    loop->watches[fd].callback = NULL;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void event_loop_add_step(struct event_loop *loop, event_loop_step *step, void *context)
{
    if (loop->step_count < STEPS_MAX)
        loop->steps[loop->step_count++] = (struct step){step, context};
}

static void read_signal(void *context, uint32_t events)
{
    struct event_loop *loop = context;
    struct signalfd_siginfo info;

    (void)events;
    while (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        loop->on_signal(loop->signal_context);
}

int event_loop_catch_signals(struct event_loop *loop, void (*callback)(void *context),
                             void *context)
{
    sigset_t caught;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&caught);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGINT);
    if (sigprocmask(SIG_BLOCK, &caught, NULL) != 0)
        return -1;
    loop->on_signal = callback;
    loop->signal_context = context;
    loop->signal_fd = signalfd(-1, &caught, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->signal_fd < 0)
        return -1;
    return event_loop_watch(loop, loop->signal_fd, EPOLLIN, read_signal, loop);
}

static void dispatch(struct event_loop *loop, const struct epoll_event *event)
{
    size_t fd = (uint32_t)event->data.u64;
    const struct watch *watch = &loop->watches[fd];
    if (watch->callback != NULL && watch->generation == (uint32_t)(event->data.u64 >> 32))
        watch->callback(watch->context, event->events);
}

static int64_t run_steps(struct event_loop *loop)
{
    int64_t next_ms = EVENT_LOOP_IDLE;
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < loop->step_count; i++) {
        int64_t due_ms = loop->steps[i].run(loop->steps[i].context, now_ms);
        if (due_ms < next_ms)
            next_ms = due_ms;
    }
    return next_ms;
}

static int wait_timeout(int64_t next_ms)
{
    if (next_ms == EVENT_LOOP_IDLE)
        return -1;
    int64_t wait_ms = next_ms - clock_monotonic_ms();
    return wait_ms <= 0 ? 0 : wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

int event_loop_run(struct event_loop *loop)
{
    struct epoll_event events[EVENTS_PER_PASS];

    while (!loop->stopping) {
        int timeout_ms = wait_timeout(run_steps(loop));
        if (loop->stopping)
            break;
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_PASS, timeout_ms);
        if (count < 0 && errno != EINTR)
            return -1;
        for (int i = 0; i < count; i++)
            dispatch(loop, &events[i]);
    }
    return 0;
}

void event_loop_stop(struct event_loop *loop)
{
    loop->stopping = true;
}
