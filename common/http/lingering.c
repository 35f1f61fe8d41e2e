#include "http/lingering.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGERING_MAX 64
#define SILENCE_MAX_MS 2000
#define LINGERING_MAX_MS 15000

/* In one call; so that a client that sends without end leaves time to others. */
#define READS_MAX 16

struct lingerer {
    struct http_lingering *all;
    int fd; /* -1: free */
    int64_t began_ms;
    int64_t heard_ms;
};

struct http_lingering {
    struct event_loop *loop;
    unsigned next; /* to be used; the oldest if all are */
    unsigned count;
    struct lingerer slots[LINGERING_MAX];
};

struct http_lingering *http_lingering_create(struct event_loop *loop)
{
    struct http_lingering *lingering = calloc(1, sizeof *lingering);
    if (lingering == NULL)
        return NULL;
    lingering->loop = loop;
    for (unsigned i = 0; i < LINGERING_MAX; i++) {
        lingering->slots[i].all = lingering;
        lingering->slots[i].fd = -1;
    }
    return lingering;
}

static void end(struct lingerer *slot)
{
    if (slot->fd < 0)
        return;
    event_loop_forget(slot->all->loop, slot->fd);
    close(slot->fd);
    slot->fd = -1;
    slot->all->count--;
}

void http_lingering_destroy(struct http_lingering *lingering)
{
    if (lingering == NULL)
        return;
    for (unsigned i = 0; i < LINGERING_MAX; i++)
        end(&lingering->slots[i]);
    free(lingering);
}

static void on_event(void *context, uint32_t events)
{
    static char discarded[65536];
    struct lingerer *slot = context;
    ssize_t count = 1;

    (void)events;
    slot->heard_ms = clock_monotonic_ms();
    for (int i = 0; i < READS_MAX && count > 0; i++)
        count = recv(slot->fd, discarded, sizeof discarded, MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
        end(slot);
}

void http_lingering_add(struct http_lingering *lingering, int fd, int64_t now_ms)
{
    struct lingerer *slot = &lingering->slots[lingering->next];
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        return;
    end(slot);
    slot->fd = copy;
    slot->began_ms = slot->heard_ms = now_ms;
    lingering->next = (lingering->next + 1) % LINGERING_MAX;
    lingering->count++;
    if (event_loop_watch(lingering->loop, copy, EPOLLIN, on_event, slot) != 0)
        end(slot);
}

int64_t http_lingering_sweep(struct http_lingering *lingering, int64_t now_ms)
{
    int64_t due_ms = EVENT_LOOP_IDLE;

    for (unsigned i = 0; i < LINGERING_MAX && lingering->count > 0; i++) {
        struct lingerer *slot = &lingering->slots[i];
        if (slot->fd < 0)
            continue;
        int64_t silent_ms = slot->heard_ms + SILENCE_MAX_MS;
        int64_t last_ms = slot->began_ms + LINGERING_MAX_MS;
        int64_t slot_ms = silent_ms < last_ms ? silent_ms : last_ms;
        if (slot_ms <= now_ms)
            end(slot);
        else if (slot_ms < due_ms)
            due_ms = slot_ms;
    }
    return due_ms;
}
