#include "pinger.h"

#include "client/client.h"
#include "clock.h"
#include "reading.h"
#include "schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_S 1000000000

struct request {
    struct request *previous, *next;
    struct pinger *pinger;
    struct observed observed;
};

struct pinger {
    struct event_loop *loop;
    struct observer *observer;
    struct client *client;
    struct schedule schedule;
    int timer_fd;
    bool stopped;
    struct request under_way; /* head of a list */
    struct request *free_requests;
};

static struct request *take_request(struct pinger *pinger)
{
    struct request *request = pinger->free_requests;

    if (request != NULL)
        pinger->free_requests = request->next;
    else if ((request = malloc(sizeof *request)) == NULL)
        return NULL;
    *request = (struct request){.pinger = pinger, .next = &pinger->under_way};
    request->previous = pinger->under_way.previous;
    request->previous->next = request;
    request->next->previous = request;
    return request;
}

static void end_request(struct request *request, const struct client_answer *answer)
{
    struct pinger *pinger = request->pinger;

    request->observed.ended_ns = clock_monotonic_ns();
    observer_end(pinger->observer, &request->observed, answer);
    request->previous->next = request->next;
    request->next->previous = request->previous;
    request->next = pinger->free_requests;
    pinger->free_requests = request;
}

static void on_answer(void *context, const struct client_answer *answer)
{
    end_request(context, answer);
}

/* client_started */
static void on_start(void *context)
{
    struct request *request = context;
    observer_send(request->pinger->observer, &request->observed);
}

static void start_request(struct pinger *pinger, int64_t planned_ns)
{
    const struct client_answer refused = {.result = CLIENT_QUEUE_FULL};
    struct request *request = take_request(pinger);

    if (request == NULL) {
        struct observed observed = {.planned_ns = planned_ns, .ended_ns = clock_monotonic_ns()};
        observer_end(pinger->observer, &observed, &refused);
        return;
    }
    request->observed.planned_ns = planned_ns;
    client_get(pinger->client, NULL, on_answer, request);
}

static int set_timer(const struct pinger *pinger)
{
    int64_t due_ns = schedule_next_ns(&pinger->schedule);
    const struct itimerspec due = {
        .it_value = {.tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S}};
    return timerfd_settime(pinger->timer_fd, TFD_TIMER_ABSTIME, &due, NULL);
}

static void on_timer(void *context, uint32_t events)
{
    struct pinger *pinger = context;
    int64_t now_ns = clock_monotonic_ns();
    int64_t planned_ns;
    uint64_t expirations;

    (void)events;
    if (read(pinger->timer_fd, &expirations, sizeof expirations) < 0 || pinger->stopped)
        return;
    while (schedule_take(&pinger->schedule, now_ns, &planned_ns))
        start_request(pinger, planned_ns);
    if (schedule_is_over(&pinger->schedule) || set_timer(pinger) != 0)
        pinger_stop(pinger);
}

static int start_client(struct pinger *pinger, const struct witness_settings *settings,
                        struct client_addresses *addresses)
{
    const struct client_options options = {
        .url = settings->url.url,
        .host = &settings->url,
        .addresses = addresses,
        .connect_timeout_ms = settings->connect_timeout_ms,
        .timeout_ms = settings->timeout_ms,
        .connections_max = settings->clients,
        /* As many as can wait before the first of them has waited too long. */
        .queue_max = settings->rate * (settings->timeout_ms / 1000 + 1),
        .connection_age_ms =
            settings->connections == CONNECTIONS_NEW ? 0 : settings->connection_age_ms,
        .started = on_start,
        .body_max_bytes = READING_BODY_MAX_BYTES,
        .headers = reading_headers,
        .header_count = reading_header_count,
    };
    errno = ENOMEM;
    return client_create(&pinger->client, pinger->loop, &options);
}

static int start_timer(struct pinger *pinger, const struct witness_settings *settings)
{
    schedule_init(&pinger->schedule, clock_monotonic_ns(), settings->rate, settings->duration_s);
    pinger->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (pinger->timer_fd < 0)
        return -1;
    if (set_timer(pinger) != 0)
        return -1;
    return event_loop_watch(pinger->loop, pinger->timer_fd, EPOLLIN, on_timer, pinger);
}

int pinger_create(struct pinger **created, struct event_loop *loop,
                  const struct witness_settings *settings, struct client_addresses *addresses,
                  struct observer *observer)
{
    struct pinger *pinger = calloc(1, sizeof *pinger);
    if (pinger == NULL)
        return -1;
    pinger->loop = loop;
    pinger->observer = observer;
    pinger->timer_fd = -1;
    pinger->under_way.next = pinger->under_way.previous = &pinger->under_way;
    if (start_client(pinger, settings, addresses) != 0 || start_timer(pinger, settings) != 0) {
        pinger_destroy(pinger);
        return -1;
    }
    *created = pinger;
    return 0;
}

/* What was sent may have been counted, and no one will know. */
static void cut_off(struct pinger *pinger)
{
    while (pinger->under_way.next != &pinger->under_way) {
        struct request *request = pinger->under_way.next;
        const struct client_answer lost = {.result = CLIENT_ABANDONED,
                                           .was_sent = request->observed.was_sent};
        end_request(request, &lost);
    }
}

void pinger_destroy(struct pinger *pinger)
{
    if (pinger == NULL)
        return;
    client_destroy(pinger->client);
    cut_off(pinger);
    while (pinger->free_requests != NULL) {
        struct request *request = pinger->free_requests;
        pinger->free_requests = request->next;
        free(request);
    }
    if (pinger->timer_fd >= 0) {
        event_loop_forget(pinger->loop, pinger->timer_fd);
        close(pinger->timer_fd);
    }
    free(pinger);
}

void pinger_stop(struct pinger *pinger)
{
    pinger->stopped = true;
}

bool pinger_is_done(const struct pinger *pinger)
{
    return pinger->stopped && pinger->under_way.next == &pinger->under_way;
}
