#include "lifecycle.h"

#include "clock.h"
#include "log.h"

#include <stdlib.h>

/* How often the end of what is in flight is looked for. */
#define FINISH_POLL_MS 5

/* A connection that was accepted last may still be sending its first request. */
#define FINISH_LINGER_MS 100

enum phase { SERVING, DRAINING, FINISHING, ENDED };

struct lifecycle {
    struct event_loop *loop;
    struct http_server *server;
    int64_t drain_ms;
    int64_t finish_timeout_ms;
    int64_t deadline_ms; /* of the current phase */
    int64_t linger_until_ms;
    bool (*is_busy)(const void *context); /* NULL: never */
    const void *busy_context;
    enum phase phase;
    bool clean;
};

static void end(struct lifecycle *lifecycle, bool clean)
{
    lifecycle->phase = ENDED;
    lifecycle->clean = clean;
    event_loop_stop(lifecycle->loop);
}

static void on_signal(void *context)
{
    struct lifecycle *lifecycle = context;

    if (lifecycle->phase != SERVING) {
        log_warning("second signal, ending at once", NULL);
        end(lifecycle, false);
        return;
    }
    log_info("draining", LOG_FIELDS(log_integer("drain_ms", lifecycle->drain_ms)));
    lifecycle->phase = DRAINING;
    lifecycle->deadline_ms = clock_monotonic_ms() + lifecycle->drain_ms;
    http_server_drain(lifecycle->server);
}

static void begin_finish(struct lifecycle *lifecycle, int64_t now_ms)
{
    http_server_stop_listening(lifecycle->server);
    lifecycle->phase = FINISHING;
    lifecycle->deadline_ms = now_ms + lifecycle->finish_timeout_ms;
    lifecycle->linger_until_ms = now_ms + FINISH_LINGER_MS;
}

static void finish(struct lifecycle *lifecycle, int64_t now_ms)
{
    unsigned requests = http_server_active_requests(lifecycle->server);
    bool busy =
        requests > 0 || (lifecycle->is_busy != NULL && lifecycle->is_busy(lifecycle->busy_context));

    if (!busy && now_ms >= lifecycle->linger_until_ms) {
        end(lifecycle, true);
    } else if (busy && now_ms >= lifecycle->deadline_ms) {
        log_warning("requests cut off at the end", LOG_FIELDS(log_integer("requests", requests)));
        end(lifecycle, false);
    }
}

static int64_t step(void *context, int64_t now_ms)
{
    struct lifecycle *lifecycle = context;

    if (lifecycle->phase == SERVING || lifecycle->phase == ENDED)
        return EVENT_LOOP_IDLE;
    if (lifecycle->phase == DRAINING) {
        if (now_ms < lifecycle->deadline_ms)
            return lifecycle->deadline_ms;
        begin_finish(lifecycle, now_ms);
        return now_ms;
    }
    finish(lifecycle, now_ms);
    return now_ms + FINISH_POLL_MS;
}

int lifecycle_create(struct lifecycle **created, struct event_loop *loop, int64_t drain_ms,
                     int64_t finish_timeout_ms)
{
    struct lifecycle *lifecycle = calloc(1, sizeof *lifecycle);
    if (lifecycle == NULL)
        return -1;
    lifecycle->loop = loop;
    lifecycle->drain_ms = drain_ms;
    lifecycle->finish_timeout_ms = finish_timeout_ms;
    if (event_loop_catch_signals(loop, on_signal, lifecycle) != 0) {
        free(lifecycle);
        return -1;
    }
    *created = lifecycle;
    return 0;
}

void lifecycle_serve(struct lifecycle *lifecycle, struct http_server *server)
{
    lifecycle->server = server;
    event_loop_add_step(lifecycle->loop, step, lifecycle);
}

void lifecycle_wait_for(struct lifecycle *lifecycle, bool (*is_busy)(const void *context),
                        const void *context)
{
    lifecycle->is_busy = is_busy;
    lifecycle->busy_context = context;
}

void lifecycle_finish(struct lifecycle *lifecycle)
{
    if (lifecycle->phase != SERVING)
        return;
    http_server_drain(lifecycle->server);
    begin_finish(lifecycle, clock_monotonic_ms());
}

void lifecycle_destroy(struct lifecycle *lifecycle)
{
    free(lifecycle);
}

bool lifecycle_is_draining(const struct lifecycle *lifecycle)
{
    return lifecycle->phase != SERVING;
}

bool lifecycle_ended_cleanly(const struct lifecycle *lifecycle)
{
    return lifecycle->clean;
}
