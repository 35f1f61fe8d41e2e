#include "pingpong_monitor.h"

#include "client/client.h"
#include "log.h"
#include "pong_result.h"

#include <stdio.h>
#include <stdlib.h>

#define INTERVAL_MS 2000
#define TIMEOUT_MS 1500

/* Kept short: the same reason for which the pages' connections age. */
#define CONNECTION_AGE_MS 10000

struct pingpong_monitor {
    struct client *upstream;
    bool asking;
    bool has_asked; /* result and status are of an answer */
    enum client_result result;
    long status;
    int64_t next_ms;
};

bool pingpong_monitor_is_ready(const struct pingpong_monitor *monitor)
{
    return monitor->has_asked && monitor->result == CLIENT_OK;
}

void pingpong_monitor_describe(const struct pingpong_monitor *monitor, char *out, size_t size)
{
    if (!monitor->has_asked)
        snprintf(out, size, "not known yet");
    else if (monitor->result == CLIENT_OK)
        snprintf(out, size, "ready");
    else
        pong_result_describe(monitor->result, monitor->status, TIMEOUT_MS, out, size);
}

static void on_answer(void *context, const struct client_answer *answer)
{
    struct pingpong_monitor *monitor = context;
    bool was_ready = pingpong_monitor_is_ready(monitor), is_first = !monitor->has_asked;
    char state[256];

    monitor->asking = false;
    monitor->has_asked = true;
    monitor->result = answer->result;
    monitor->status = answer->status;
    if (!is_first && was_ready == pingpong_monitor_is_ready(monitor))
        return;
    pingpong_monitor_describe(monitor, state, sizeof state);
    if (pingpong_monitor_is_ready(monitor))
        log_info("pingpong is ready", NULL);
    else
        log_warning("pingpong is not ready", LOG_FIELDS(log_string("reason", state)));
}

static int64_t step(void *context, int64_t now_ms)
{
    struct pingpong_monitor *monitor = context;

    if (monitor->asking)
        return EVENT_LOOP_IDLE;
    if (now_ms < monitor->next_ms)
        return monitor->next_ms;
    monitor->next_ms = now_ms + INTERVAL_MS;
    monitor->asking = true;
    client_get(monitor->upstream, NULL, on_answer, monitor);
    return monitor->next_ms;
}

int pingpong_monitor_create(struct pingpong_monitor **created, struct event_loop *loop,
                            const struct client_url *url, struct client_addresses *addresses,
                            int64_t connect_timeout_ms)
{
    struct pingpong_monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL)
        return -1;
    const struct client_options options = {
        .url = url->health_url,
        .host = url,
        .addresses = addresses,
        .connect_timeout_ms = connect_timeout_ms,
        .timeout_ms = TIMEOUT_MS,
        .connections_max = 1,
        .queue_max = 1,
        .connection_age_ms = CONNECTION_AGE_MS,
    };
    event_loop_add_step(loop, step, monitor);
    if (client_create(&monitor->upstream, loop, &options) != 0) {
        free(monitor);
        return -1;
    }
    *created = monitor;
    return 0;
}

void pingpong_monitor_destroy(struct pingpong_monitor *monitor)
{
    if (monitor == NULL)
        return;
    client_destroy(monitor->upstream);
    free(monitor);
}
