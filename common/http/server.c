#include "http/server.h"

#include "clock.h"
#include "http/capacity.h"
#include "http/connections.h"
#include "http/internal.h"
#include "http/listen.h"
#include "http/statistics.h"
#include "http/trace_headers.h"
#include "log.h"
#include "metrics.h"
#include "trace.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A body beyond this ends the connection instead of being read on for the sake of a 413. */
#define BODY_CUT_OFF_BYTES (16 * HTTP_BODY_MAX_BYTES)

/* At the end of the drain, for as long as connections still wait to be accepted. */
#define ACCEPT_RUNS_MAX 256

/* While requests wait, MHD_get_timeout() is always 0, and a run of the library looks at each of
 * them; a tick that slows down stands in for it. */
#define TICK_MIN_MS 4
#define TICK_MAX_MS 16

static unsigned parse_method(const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0)
        return HTTP_GET;
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        return HTTP_POST;
    return strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? HTTP_HEAD : 0;
}

/* A request target may be a whole URL (RFC 9112, 3.2.2). */
static const char *path_of(const char *url)
{
    if (strncmp(url, "http://", 7) != 0)
        return url;
    const char *path = strchr(url + 7, '/');
    return path == NULL ? "/" : path;
}

static size_t find_route(const struct http_server *server, const char *path)
{
    size_t i = 0;
    while (i < server->options.route_count && strcmp(server->options.routes[i].path, path) != 0)
        i++;
    return i;
}

static struct http_request *new_request(struct http_server *server)
{
    struct http_request *request = server->free;
    if (request != NULL) {
        server->free = request->next_free;
        return request;
    }
    request = calloc(1, sizeof *request);
    if (request != NULL) {
        request->server = server;
        request->next = server->all;
        server->all = request;
    }
    return request;
}

static void note_trace(struct http_request *request)
{
    request->traced = http_trace_headers_parent(request, &request->trace) == 0;
}

static bool announces_large_body(struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length != NULL && strtoull(length, NULL, 10) > HTTP_BODY_MAX_BYTES;
}

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection,
                             const char *url, const char *method, void **slot)
{
    struct http_request *request = new_request(server);
    if (request == NULL)
        return MHD_NO;
    request->connection = connection;
    request->route = find_route(server, path_of(url));
    request->method = parse_method(method);
    request->phase = RECEIVING;
    request->abandoned = false;
    request->body_bytes = 0;
    request->headers = NULL;
    request->started_ns = clock_monotonic_ns();
    memset(request->state, 0, sizeof request->state);
    request->traced = false;
    if (server->options.access_log)
        note_trace(request);
    *slot = request;
    server->active++;
    request->entry = http_connections_begin_request(connection);
    if (request->method != HTTP_GET && announces_large_body(connection)) {
        http_respond_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
        return http_request_send(request);
    }
    return MHD_YES;
}

static void handle(struct http_request *request)
{
    const struct http_server_options *options = &request->server->options;
    const struct http_route *route = &options->routes[request->route];

    request->phase = KEPT;
    request->server->waiting++;
    if (http_request_body_is_too_large(request))
        http_respond_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    else if (request->route == options->route_count)
        http_respond_error(request, MHD_HTTP_NOT_FOUND, "not found");
    else if ((route->methods & request->method) == 0)
        http_respond_error(request, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
    else
        route->handler(options->context, request);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **slot)
{
    struct http_request *request = *slot;

    (void)version;
    if (request == NULL)
        return begin(context, connection, url, method, slot);
    if (*upload_size != 0) {
        if (http_request_take_body(request, upload, *upload_size) != 0)
            return MHD_NO;
        *upload_size = 0;
        return request->body_bytes <= BODY_CUT_OFF_BYTES ? MHD_YES : MHD_NO;
    }
    if (request->phase == RECEIVING)
        handle(request);
    /* Returning without an answer makes the library ask again in its next run. */
    return request->phase == ANSWERED ? http_request_send(request) : MHD_YES;
}

static const char *route_label(const void *context, size_t route)
{
    const struct http_server *server = context;
    return route < server->options.route_count ? server->options.routes[route].path : "other";
}

static void log_access(const struct http_request *request, int64_t duration_ns)
{
    static const char *const methods[] = {"other", "GET", "HEAD", "other", "POST"};
    log_info("request",
             LOG_FIELDS(log_string("method", methods[request->method]),
                        log_string("route", route_label(request->server, request->route)),
                        log_integer("status", request->status),
                        log_integer("duration_us", duration_ns / 1000),
                        log_string("trace_id", request->traced ? request->trace.trace_id : NULL)));
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode reason)
{
    struct http_server *server = context;
    struct http_request *request = *slot;

    (void)connection;
    (void)reason;
    if (request == NULL)
        return;
    *slot = NULL;
    server->active--;
    int64_t now_ns = clock_monotonic_ns();
    http_connections_end_request(server->connections, request->entry, now_ns / 1000000);
    if (request->phase == KEPT) {
        /* Whoever keeps it still has to answer it, which then frees it. */
        request->abandoned = true;
        server->waiting--;
        return;
    }
    if (request->phase == SENDING) {
        int64_t duration_ns = now_ns - request->started_ns;
        http_statistics_record(server->statistics, request->route, request->method, request->status,
                               duration_ns);
        if (server->options.access_log)
            log_access(request, duration_ns);
    }
    http_request_recycle(request);
}

__attribute__((format(printf, 2, 0))) static void on_library_log(void *context, const char *format,
                                                                 va_list arguments)
{
    char text[512];

    (void)context;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("http library", LOG_FIELDS(log_string("detail", text)));
}

/* The library's descriptor being readable only has to wake the loop: its step does the work. */
static void on_library_event(void *context, uint32_t events)
{
    struct http_server *server = context;
    (void)events;
    server->tick_ms = TICK_MIN_MS;
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
    if (MHD_get_timeout(server->daemon, &timeout_ms) != MHD_YES || timeout_ms > INT32_MAX)
        return EVENT_LOOP_IDLE;
    return now_ms + (int64_t)timeout_ms;
}

/* Only MHD_run() is used, which never waits: the library's own wait misses connections that are
 * ready already when exactly a multiple of 128 is. */
static int64_t step(void *context, int64_t now_ms)
{
    struct http_server *server = context;

    MHD_run(server->daemon);
    int64_t sweep_ms = http_connections_sweep(server->connections, now_ms);
    int64_t library_ms = library_timeout(server, now_ms);
    return sweep_ms < library_ms ? sweep_ms : library_ms;
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
        flags, options->port, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
        on_library_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, http_connections_notify,
        server->connections, MHD_OPTION_CONNECTION_LIMIT,
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
    server->connections = http_connections_create(connections_max, options->idle_timeout_ms +
                                                                       options->request_timeout_ms);
    if (server->statistics == NULL || server->connections == NULL)
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
    http_statistics_write(server->statistics, route_label, server, out);
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
