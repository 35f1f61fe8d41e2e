/* A request's life: judged when its head is there, handed to its handler when it is whole, recorded
 * and forgotten when the library or the connection says that it is over. */
#include "clock.h"
#include "http/internal.h"
#include "http/refusal.h"
#include "http/statistics.h"
#include "http/trace_headers.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A body beyond this ends the connection instead of being read on for the sake of a 413. */
#define BODY_CUT_OFF_BYTES (16 * HTTP_BODY_MAX_BYTES)

static unsigned parse_method(const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0)
        return HTTP_GET;
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        return HTTP_POST;
    return strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? HTTP_HEAD : 0;
}

/* A request target may be a whole URL, whose scheme has no case (RFC 9112, 3.2.2; RFC 3986, 3.1).
 */
static const char *path_of(const char *url)
{
    if (*url == '/')
        return url;
    size_t scheme = strncasecmp(url, "http://", 7) == 0    ? 7
                    : strncasecmp(url, "https://", 8) == 0 ? 8
                                                           : 0;
    const char *path = scheme == 0 ? url : strchr(url + scheme, '/');
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

static void reset(struct http_request *request)
{
    request->phase = RECEIVING;
    request->abandoned = request->traced = false;
    request->body_bytes = 0;
    request->headers = NULL;
    request->started_ns = clock_monotonic_ns();
    memset(request->state, 0, sizeof request->state);
}

static void note_trace(struct http_request *request)
{
    request->traced = http_trace_headers_parent(request, &request->trace) == 0;
}

/* The library would take an answer here, but has not always room for it. */
static enum MHD_Result refuse(struct http_connection *entry, struct http_fault fault)
{
    http_refuse_on_socket(entry->request->server, entry, fault);
    return MHD_NO;
}

static enum MHD_Result begin(struct http_server *server, struct http_connection *entry,
                             const char *url, const char *method, const char *version)
{
    struct http_request *request = new_request(server);
    if (request == NULL)
        return MHD_NO;
    request->connection = entry->library;
    request->entry = entry;
    request->route = find_route(server, path_of(url));
    request->method = parse_method(method);
    /* With any other method it is refused below. */
    request->of_server = strcmp(url, "*") == 0;
    reset(request);
    entry->request = request;
    server->active++;
    http_connections_receive(entry, request->started_ns / 1000000);
    struct http_fault fault = http_refusal_judge(server, entry, method, version);
    entry->target_bytes = 0;
    if (fault.status != 0)
        return refuse(entry, fault);
    if (server->options.access_log)
        note_trace(request);
    if (entry->announced_bytes > HTTP_BODY_MAX_BYTES)
        return refuse(entry, http_refusal_fault(MHD_HTTP_CONTENT_TOO_LARGE));
    return MHD_YES;
}

static void handle(struct http_request *request)
{
    const struct http_server_options *options = &request->server->options;
    const struct http_route *route = &options->routes[request->route];

    http_connections_hold(request->server->connections, request->entry);
    request->phase = KEPT;
    request->server->waiting++;
    if (http_request_body_is_too_large(request))
        http_respond_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    else if (request->of_server)
        http_respond_text(request, MHD_HTTP_OK, "");
    else if (request->route == options->route_count)
        http_respond_error(request, MHD_HTTP_NOT_FOUND, "not found");
    else if ((route->methods & request->method) == 0)
        http_respond_error(request, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
    else
        route->handler(options->context, request);
}

/* The library takes no answer while a body is coming. */
static enum MHD_Result take_body(struct http_request *request, const char *data, size_t length)
{
    request->entry->earlier_bytes += length;
    if (http_request_take_body(request, data, length) != 0)
        return MHD_NO;
    if (request->body_bytes <= BODY_CUT_OFF_BYTES)
        return MHD_YES;
    return refuse(request->entry, http_refusal_fault(MHD_HTTP_CONTENT_TOO_LARGE));
}

enum MHD_Result http_request_on_library(void *context, struct MHD_Connection *connection,
                                        const char *url, const char *method, const char *version,
                                        const char *upload, size_t *upload_size, void **slot)
{
    struct http_connection *entry = http_connections_find(connection);
    (void)slot;
    if (entry == NULL || entry->refused)
        return MHD_NO;
    struct http_request *request = entry->request;
    ((struct http_server *)context)->fruitless_runs = 0;
    if (request == NULL)
        return begin(context, entry, url, method, version);
    if (*upload_size != 0) {
        size_t length = *upload_size;
        *upload_size = 0;
        return take_body(request, upload, length);
    }
    if (request->phase == RECEIVING) {
        if (entry->chunked && !http_refusal_trailer_fits(entry))
            return refuse(entry, (struct http_fault){MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                                                     "the request's trailer is too large"});
        handle(request);
    }
    /* Returning without an answer makes the library ask again in its next run. */
    return request->phase == ANSWERED ? http_request_send(request) : MHD_YES;
}

const char *http_route_label(const void *context, size_t route)
{
    const struct http_server *server = context;
    return route < server->options.route_count ? server->options.routes[route].path : "other";
}

void http_request_record(struct http_server *server, const struct http_request *request,
                         unsigned status)
{
    static const char *const methods[] = {"other", "GET", "HEAD", "other", "POST"};
    size_t route = request == NULL ? server->options.route_count : request->route;
    unsigned method = request == NULL ? 0 : request->method;
    int64_t duration_ns = request == NULL ? 0 : clock_monotonic_ns() - request->started_ns;
    bool traced = request != NULL && request->traced;

    http_statistics_record(server->statistics, route, method, status, duration_ns);
    if (server->options.access_log)
        log_info("request",
                 LOG_FIELDS(log_string("method", methods[method]),
                            log_string("route", http_route_label(server, route)),
                            log_integer("status", status),
                            log_integer("duration_us", duration_ns / 1000),
                            log_string("trace_id", traced ? request->trace.trace_id : NULL)));
}

/* `sent`: the library has handed over the whole answer. */
static void end(struct http_connection *entry, bool sent)
{
    struct http_request *request = entry->request;
    struct http_server *server = request->server;

    entry->request = NULL;
    server->active--;
    http_connections_end_request(server->connections, entry, clock_monotonic_ms());
    if (request->phase != RECEIVING)
        http_request_record(server, request, sent ? request->status : HTTP_STATUS_NOT_SENT);
    if (request->phase == KEPT) {
        /* Whoever keeps it still has to answer it, which then frees it. */
        request->abandoned = true;
        server->waiting--;
        return;
    }
    http_request_recycle(request);
}

void http_request_on_completed(void *context, struct MHD_Connection *connection, void **slot,
                               enum MHD_RequestTerminationCode reason)
{
    struct http_connection *entry = http_connections_find(connection);

    (void)context;
    (void)slot;
    if (entry == NULL)
        return;
    entry->target_bytes = 0;
    if (entry->request != NULL)
        end(entry, reason == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

/* The library does not always say that a request is over (1.0.1: after a chunk's size that it
 * cannot read); its connection's end it says. */
void http_request_on_connection_ended(void *context, struct http_connection *entry)
{
    struct http_server *server = context;

    if (entry->request != NULL)
        end(entry, false);
    else
        http_refusal_on_end(server, entry);
    if (entry->refused)
        http_lingering_add(server->lingering, entry->fd, clock_monotonic_ms());
}
