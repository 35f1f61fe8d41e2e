#include "client/multi.h"

#include "clock.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* What the loop is told about a socket of libcurl's. It stays watched while its connection is
 * idle: taking it out and putting it in again costs two system calls for each request. */
struct watch {
    struct client_multi *multi;
    int fd;
    uint32_t events; /* the loop watches for, 0: not watched */
    bool in_use;     /* libcurl wants to know */
};

struct client_multi {
    CURLM *handle;
    struct event_loop *loop;
    client_multi_callback *on_event;
    void *context;
    int64_t timer_due_ms;
    struct watch **watches; /* by descriptor */
    size_t watch_count;
};

static struct watch *watch_of(struct client_multi *multi, int fd)
{
    size_t index = (size_t)fd;

    if (index >= multi->watch_count) {
        size_t count = index + 16;
        struct watch **watches = realloc(multi->watches, count * sizeof *watches);
        if (watches == NULL)
            return NULL;
        memset(watches + multi->watch_count, 0, (count - multi->watch_count) * sizeof *watches);
        multi->watches = watches;
        multi->watch_count = count;
    }
    struct watch *watch = multi->watches[index];
    if (watch == NULL && (watch = calloc(1, sizeof *watch)) != NULL) {
        watch->multi = multi;
        watch->fd = fd;
        multi->watches[index] = watch;
    }
    return watch;
}

static void stop_watching(struct watch *watch)
{
    event_loop_forget(watch->multi->loop, watch->fd);
    watch->events = 0;
}

static void on_socket_event(void *context, uint32_t events)
{
    struct watch *watch = context;
    int flags = 0, running;

    if (!watch->in_use) {
        /* The idle connection was closed; libcurl finds out when it wants to use it again. */
        stop_watching(watch);
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP))
        flags |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        flags |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        flags |= CURL_CSELECT_ERR;
    struct client_multi *multi = watch->multi;
    curl_multi_socket_action(multi->handle, watch->fd, flags, &running);
    multi->on_event(multi->context);
}

/* CURLMOPT_SOCKETFUNCTION. A failure is left to the call's deadline: reporting it here would end
 * all transfers for good. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
    struct watch *watch = watch_of(context, fd);

    (void)easy;
    (void)assigned;
    if (watch == NULL)
        return 0;
    watch->in_use = what != CURL_POLL_REMOVE;
    if (!watch->in_use) {
        if (watch->events != EPOLLIN)
            stop_watching(watch);
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (watch->events != events &&
        event_loop_watch(watch->multi->loop, fd, events, on_socket_event, watch) == 0)
        watch->events = events;
    return 0;
}

int client_multi_close_socket(void *context, curl_socket_t fd)
{
    struct client_multi *multi = context;
    size_t index = (size_t)fd;

    if (index < multi->watch_count && multi->watches[index] != NULL) {
        stop_watching(multi->watches[index]);
        free(multi->watches[index]);
        multi->watches[index] = NULL;
    }
    return close(fd);
}

/* CURLMOPT_TIMERFUNCTION */
static int on_timer(CURLM *handle, long timeout_ms, void *context)
{
    struct client_multi *multi = context;

    (void)handle;
    multi->timer_due_ms = timeout_ms < 0 ? EVENT_LOOP_IDLE : clock_monotonic_ms() + timeout_ms;
    return 0;
}

static int set_up(struct client_multi *multi, int64_t connections_max)
{
    CURLM *handle = multi->handle;
    CURLMcode failed = CURLM_OK;

    failed |= curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, on_socket);
    failed |= curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, multi);
    failed |= curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, on_timer);
    failed |= curl_multi_setopt(handle, CURLMOPT_TIMERDATA, multi);
    failed |= curl_multi_setopt(handle, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    failed |= curl_multi_setopt(handle, CURLMOPT_MAXCONNECTS, (long)connections_max);
    return failed == CURLM_OK ? 0 : -1;
}

struct client_multi *client_multi_create(struct event_loop *loop, int64_t connections_max,
                                         client_multi_callback *on_event, void *context)
{
    struct client_multi *multi = calloc(1, sizeof *multi);
    if (multi == NULL)
        return NULL;
    multi->loop = loop;
    multi->on_event = on_event;
    multi->context = context;
    multi->timer_due_ms = EVENT_LOOP_IDLE;
    multi->handle = curl_multi_init();
    if (multi->handle == NULL || set_up(multi, connections_max) != 0) {
        client_multi_destroy(multi);
        return NULL;
    }
    return multi;
}

void client_multi_destroy(struct client_multi *multi)
{
    if (multi == NULL)
        return;
    curl_multi_cleanup(multi->handle);
    for (size_t i = 0; i < multi->watch_count; i++)
        free(multi->watches[i]);
    free(multi->watches);
    free(multi);
}

CURLM *client_multi_handle(const struct client_multi *multi)
{
    return multi->handle;
}

int64_t client_multi_due_ms(const struct client_multi *multi)
{
    return multi->timer_due_ms;
}

void client_multi_run(struct client_multi *multi)
{
    int running;

    if (multi->timer_due_ms > clock_monotonic_ms())
        return;
    multi->timer_due_ms = EVENT_LOOP_IDLE;
    curl_multi_socket_action(multi->handle, CURL_SOCKET_TIMEOUT, 0, &running);
}
