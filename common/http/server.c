#include "http/server.h"

#include "clock.h"
#include "http/capacity.h"
#include "http/connections.h"
#include "http/internal.h"
#include "http/listen.h"
#include "http/refusal.h"
#include "http/statistics.h"
#include "http/takeover.h"
#include "log.h"
#include "metrics.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* At the end of the drain, for as long as connections still wait to be accepted. */
#define ACCEPT_RUNS_MAX 256

/* 0.9 forgets in its strict mode that it has refused a request without Host, and answers twice. */
#define STRICTNESS (MHD_VERSION < 0x01000000 ? 0 : 1)

/* While requests wait, MHD_get_timeout() is always 0, and a run of the library looks at each of
 * them; a tick that slows down stands in for it. */
#define TICK_MIN_MS 4
#define TICK_MAX_MS 16

/* The library may say for ever that it can go on and never do so (0.9: a chunk's size that fills a
 * connection's memory). After some runs in which nothing came of it, it is asked ever less often;
 * and what is stuck is looked for. Not before it has filled a connection's memory, in steps of 128
 * bytes. */
#define FILLING_BYTES 128
#define FRUITLESS_RUNS_SPARE 32
#define FRUITLESS_WAIT_MAX_MS 256
#define URGED_RUNS_MAX 100

/* The library's descriptor being readable only has to wake the loop: its step does the work. */
static void on_library_event(void *context, uint32_t events)
{
    struct http_server *server = context;
    (void)events;
    server->tick_ms = TICK_MIN_MS;
}

/* The library has asked to be run at once. */
static int64_t urged(struct http_server *server, int64_t now_ms)
{
    unsigned runs = ++server->fruitless_runs;
    unsigned most =
        (unsigned)server->options.connection_bytes / FILLING_BYTES + FRUITLESS_RUNS_SPARE;

    if (++server->urged_runs >= URGED_RUNS_MAX) {
        server->urged_runs = 0;
        http_connections_sweep_stuck(server->connections, now_ms);
    }
    if (runs <= most)
        return now_ms;
    unsigned doublings = runs - most;
    return now_ms + (doublings < 8 ? 1 << doublings : FRUITLESS_WAIT_MAX_MS);
}

static int64_t library_timeout(struct http_server *server, int64_t now_ms)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (server->passes > 0) {
        server->passes--;
        server->tick_ms = TICK_MIN_MS;
        return now_ms;
    }
    if (server->waiting > 0) {
        int64_t due_ms = now_ms + server->tick_ms;
        if (server->tick_ms < TICK_MAX_MS)
            server->tick_ms *= 2;
        return due_ms;
    }
    bool has_timeout = MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES;
    if (has_timeout && timeout_ms == 0)
        return urged(server, now_ms);
    server->fruitless_runs = 0;
    return has_timeout && timeout_ms < INT32_MAX ? now_ms + (int64_t)timeout_ms : EVENT_LOOP_IDLE;
}

static int64_t earlier(int64_t one_ms, int64_t other_ms)
{
    return one_ms < other_ms ? one_ms : other_ms;
}

/* Only MHD_run() is used, which never waits: the library's own wait misses connections that are
 * ready already when exactly a multiple of 128 is. An answer that it takes in one run it sends in
 * the next, for which nobody has to wait until the loop has looked for other events. */
static void run_library(struct http_server *server)
{
    server->has_taken_answer = false;
    MHD_run(server->daemon);
    if (!server->has_taken_answer)
        return;
    if (server->passes > 0)
        server->passes--;
    MHD_run(server->daemon);
}

static int64_t step(void *context, int64_t now_ms)
{
    struct http_server *server = context;

    run_library(server);
    int64_t sweep_ms = http_connections_sweep(server->connections, now_ms);
    int64_t lingering_ms = http_lingering_sweep(server->lingering, now_ms);
    int64_t library_ms = library_timeout(server, now_ms);
    return earlier(sweep_ms, earlier(lingering_ms, library_ms));
}

static struct MHD_Daemon *start_library(struct http_server *server, int listen_fd)
{
    const struct http_server_options *options = &server->options;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_ERROR_LOG;
    unsigned idle_seconds = (unsigned)((options->idle_timeout_ms + 999) / 1000);

#if MHD_VERSION >= 0x01000001
    /* The daemon belongs to one thread. */
    flags |= MHD_USE_NO_THREAD_SAFETY;
#endif
    /* The library zeroes all of a connection's memory after every request: its default of 32 KiB
     * costs 15 to 40 % of the throughput at 1000 connections. */
    return MHD_start_daemon(
        flags, options->port, NULL, NULL, http_request_on_library, server,
        MHD_OPTION_EXTERNAL_LOGGER, http_takeover_on_log, server, MHD_OPTION_LISTEN_SOCKET,
        listen_fd, MHD_OPTION_URI_LOG_CALLBACK, http_refusal_on_target, server,
        MHD_OPTION_NOTIFY_COMPLETED, http_request_on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, http_connections_notify, server->connections,
        MHD_OPTION_STRICT_FOR_CLIENT, STRICTNESS, MHD_OPTION_CONNECTION_LIMIT,
        http_connections_library_limit(server->connections), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        options->connection_bytes, MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, MHD_OPTION_END);
}

static int watch_library(struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL)
        return -1;
    server->library_epoll_fd = info->epoll_fd;
    return event_loop_watch(server->loop, info->epoll_fd, EPOLLIN, on_library_event, server);
}

static struct http_connections *create_connections(struct http_server *server, unsigned maximum)
{
    return http_connections_create(&(struct http_connections_options){
        .maximum = maximum,
        .idle_timeout_ms = server->options.idle_timeout_ms,
        .request_timeout_ms = server->options.request_timeout_ms,
        .on_ended = http_request_on_connection_ended,
        .on_stuck = http_refusal_on_stuck,
        .context = server,
    });
}

int http_server_create(struct http_server **created, struct event_loop *loop,
                       const struct http_server_options *options)
{
    unsigned connections_max;
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        goto fail;
    server->options = *options;
    if (http_capacity_fit(options, &connections_max) != 0)
        goto fail_logged;
    if (http_identity_init(&server->identity, options->show_identity, options->instance) != 0)
        goto fail_logged;
    server->loop = loop;
    server->tick_ms = TICK_MIN_MS;
    server->statistics = http_statistics_create(options->route_count);
    server->connections = create_connections(server, connections_max);
    server->lingering = http_lingering_create(loop);
    if (server->statistics == NULL || server->connections == NULL || server->lingering == NULL)
        goto fail_parts;
    int listen_fd = http_listen(options->port);
    if (listen_fd < 0)
        goto fail_logged;
    server->daemon = start_library(server, listen_fd);
    if (server->daemon == NULL) {
        close(listen_fd);
        goto fail_parts;
    }
    if (watch_library(server) != 0)
        goto fail_daemon;
    event_loop_add_step(loop, step, server);
    *created = server;
    return 0;

fail_daemon:
    MHD_stop_daemon(server->daemon);
fail_parts:
    log_error("cannot start the HTTP server", NULL);
fail_logged:
    http_lingering_destroy(server->lingering);
    http_connections_destroy(server->connections);
    http_statistics_destroy(server->statistics);
    free(server);
    return -1;
fail:
    log_error("out of memory", NULL);
    return -1;
}

void http_server_destroy(struct http_server *server)
{
    if (server == NULL)
        return;
    event_loop_forget(server->loop, server->library_epoll_fd);
    MHD_stop_daemon(server->daemon);
    while (server->all != NULL) {
        struct http_request *request = server->all;
        server->all = request->next;
        http_request_drop_response(request);
        http_request_drop_body(request);
        free(request->large_body);
        free(request);
    }
    http_lingering_destroy(server->lingering);
    http_connections_destroy(server->connections);
    http_statistics_destroy(server->statistics);
    free(server);
}

void http_server_drain(struct http_server *server)
{
    server->draining = true;
}

/* Closing the listening socket resets the connections that wait to be accepted. */
static bool has_waiting_connections(const struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    if (info == NULL)
        return false;
    struct pollfd listener = {.fd = info->listen_fd, .events = POLLIN};
    return poll(&listener, 1, 0) == 1;
}

void http_server_stop_listening(struct http_server *server)
{
    /* The library accepts some in each run. */
    for (int runs = 0; runs < ACCEPT_RUNS_MAX && has_waiting_connections(server); runs++)
        MHD_run(server->daemon);
    MHD_socket listener = MHD_quiesce_daemon(server->daemon);
    if (listener != MHD_INVALID_SOCKET)
        close(listener);
}

unsigned http_server_active_requests(const struct http_server *server)
{
    return server->active;
}

const struct http_answerer *http_server_answerer(const struct http_server *server)
{
    return &server->identity.own;
}

void http_server_write_metrics(const struct http_server *server, FILE *out)
{
    http_statistics_write(server->statistics, http_route_label, server, out);
    metrics_write_gauge(out, "http_requests_active",
                        "Requests that have begun and are not fully answered.", server->active);
    metrics_write_gauge(out, "http_connections", "Open connections.",
                        http_connections_count(server->connections));
    metrics_write_gauge(out, "http_connections_max", "Most connections that stay open.",
                        http_connections_maximum(server->connections));
}

void *http_request_state(struct http_request *request)
{
    return request->state;
}

const char *http_request_header(struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void http_request_set_headers(struct http_request *request, const struct http_header *headers)
{
    request->headers = headers;
}

int64_t http_request_started_ns(const struct http_request *request)
{
    return request->started_ns;
}

bool http_request_is_abandoned(const struct http_request *request)
{
    return request->abandoned;
}
