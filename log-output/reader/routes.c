#include "routes.h"

#include "clock.h"
#include "http/accept.h"
#include "http/identity.h"
#include "http/speculation.h"
#include "metrics.h"
#include "page/json.h"
#include "process_metrics.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* In the order in which the page takes them if its client does not care. */
enum form { FORM_LINES, FORM_JSON, FORM_DOCUMENT, FORM_COUNT };

static const char *const form_types[FORM_COUNT] = {"text/plain", "application/json", "text/html"};

static const struct http_header form_headers[] = {{"Vary", "Accept"}, {NULL, NULL}};

/* A view of the page, kept in its request while pingpong is asked. */
struct view {
    struct routes *routes;
    struct http_request *request;
    struct ping ping;
    enum form form;
};

_Static_assert(sizeof(struct view) <= HTTP_REQUEST_STATE_BYTES, "a view has to fit in a request");

static enum form form_for(struct http_request *request)
{
    const char *accept = http_request_header(request, "Accept");
    return (enum form)http_accept_choose(accept, form_types, FORM_COUNT);
}

static void respond_page(const struct view *view, const struct page_parts *parts)
{
    struct routes *routes = view->routes;
    unsigned status = page_parts_status(parts);

    http_request_set_headers(view->request, form_headers);
    if (view->form == FORM_JSON) {
        http_respond_json(view->request, status, page_json_create(parts));
        return;
    }
    size_t length = page_lines_write(parts, routes->lines);
    http_respond(view->request, status, "text/plain; charset=utf-8", routes->lines, length);
}

void routes_on_pong(void *context, const struct pong *pong)
{
    struct view *view = context;
    struct routes *routes = view->routes;
    struct page_parts parts = {
        .message = routes->settings->message,
        .pong_result = pong->result,
        .pong_status = pong->status,
        .pong_may_be_counted = pong->may_be_counted,
        .pong = pong->number,
        .pong_timeout_ms = routes->settings->upstream_timeout_ms,
        .reader = *http_server_answerer(routes->server),
    };

    /* Whoever does not say who he is does not say it of others either. */
    if (parts.reader.version != NULL)
        parts.pingpong = pong->answerer;
    page_files_fill(&routes->files, view->ping.started_ns / 1000000, &parts);
    respond_page(view, &parts);
}

bool routes_is_wanted(void *context)
{
    const struct view *view = context;
    return !http_request_is_abandoned(view->request);
}

static void show_page(void *context, struct http_request *request)
{
    struct routes *routes = context;
    struct view *view = http_request_state(request);

    view->routes = routes;
    view->request = request;
    view->form = form_for(request);
    pingpong_client_ping(routes->client, http_trace_headers_copy(request), &view->ping, view);
    routes->has_new_view = true;
}

int64_t routes_step(void *context, int64_t now_ms)
{
    struct routes *routes = context;

    if (routes->has_new_view)
        page_files_read(&routes->files, now_ms);
    routes->has_new_view = false;
    return EVENT_LOOP_IDLE;
}

static void handle_page(void *context, struct http_request *request)
{
    const struct routes *routes = context;

    if (form_for(request) == FORM_DOCUMENT)
        page_document_respond(&routes->document, request);
    else if (!http_refuse_speculation(request))
        faults_pass(routes->faults, request, show_page, context);
}

/* Load balancers ask for this path of their own accord: it counts nothing, whatever they accept. */
static void handle_root(void *context, struct http_request *request)
{
    const struct routes *routes = context;

    if (form_for(request) == FORM_DOCUMENT) {
        page_document_respond(&routes->document, request);
        return;
    }
    http_request_set_headers(request, form_headers);
    http_respond_text(request, 200, "OK");
}

static void read_shared_file(const struct routes *routes, struct shared_file *file)
{
    shared_file_read(routes->settings->shared_file, clock_realtime_ms(),
                     routes->settings->stale_after_ms, file);
}

static void handle_health(void *context, struct http_request *request)
{
    const struct routes *routes = context;
    const struct reader_settings *settings = routes->settings;
    struct shared_file file;
    char shared_file[1024], pingpong[256];

    read_shared_file(routes, &file);
    shared_file_describe(&file, settings->shared_file, shared_file, sizeof shared_file);
    pingpong_monitor_describe(routes->monitor, pingpong, sizeof pingpong);
    bool draining = lifecycle_is_draining(routes->lifecycle);
    bool ready = !draining && !faults_are_unready(routes->faults) &&
                 file.state == SHARED_FILE_FRESH &&
                 (!settings->ready_requires_pingpong || pingpong_monitor_is_ready(routes->monitor));

    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "status",
                            ready      ? "ready"
                            : draining ? "draining"
                                       : "not ready");
    cJSON_AddStringToObject(object, "shared_file", shared_file);
    cJSON_AddStringToObject(object, "pingpong", pingpong);
    http_respond_json(request, ready ? 200 : 500, object);
}

static void handle_live(void *context, struct http_request *request)
{
    (void)context;
    http_respond_text(request, 200, "OK");
}

static void write_metrics(const void *context, FILE *out)
{
    const struct routes *routes = context;
    struct shared_file file;

    read_shared_file(routes, &file);
    http_server_write_metrics(routes->server, out);
    pingpong_client_write_metrics(routes->client, out);
    faults_write_metrics(routes->faults, out);
    metrics_write_gauge(out, "log_output_shared_file_age_seconds",
                        "Age of the shared file's last line; NaN if there is none.",
                        file.timestamp[0] == '\0' ? NAN : (double)file.age_ms / 1e3);
    metrics_write_gauge(out, "log_output_pingpong_ready",
                        "1 if pingpong's /healthz last answered 200, else 0.",
                        pingpong_monitor_is_ready(routes->monitor));
    process_metrics_write("reader", out);
}

static void handle_metrics(void *context, struct http_request *request)
{
    http_respond_written(request, METRICS_CONTENT_TYPE, write_metrics, context);
}

/* Each view is one ping, so a HEAD of it is refused: it would be one without a view. */
const struct http_route routes_table[] = {
    {"/", HTTP_GET | HTTP_HEAD, handle_root, 0},
    {"/log-output", HTTP_GET, handle_page, 0},
    {"/healthz", HTTP_GET | HTTP_HEAD, handle_health, 0},
    {"/livez", HTTP_GET | HTTP_HEAD, handle_live, 0},
    {"/metrics", HTTP_GET | HTTP_HEAD, handle_metrics, 0},
    {"/version", HTTP_GET | HTTP_HEAD, http_identity_handle_version, 0},
};

const size_t routes_count = sizeof routes_table / sizeof *routes_table;
