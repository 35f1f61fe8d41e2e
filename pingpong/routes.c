#include "routes.h"

#include "clock.h"
#include "http/identity.h"
#include "metrics.h"
#include "process_metrics.h"

static void count_ping(void *context, struct http_request *request)
{
    batcher_ping(context, request);
}

static void handle_ping(void *context, struct http_request *request)
{
    const struct routes *routes = context;
    faults_pass(routes->faults, request, count_ping, routes->batcher);
}

static void handle_count(void *context, struct http_request *request)
{
    const struct routes *routes = context;
    batcher_read_count(routes->batcher, request);
}

static void handle_root(void *context, struct http_request *request)
{
    (void)context;
    http_respond_text(request, 200, "OK");
}

/* Readiness. Costs the database nothing: what is known of it is at most a second old. */
static void handle_healthz(void *context, struct http_request *request)
{
    const struct routes *routes = context;

    if (lifecycle_is_draining(routes->lifecycle))
        http_respond_text(request, 500, "Draining");
    else if (faults_are_unready(routes->faults))
        http_respond_text(request, 500, "Not Ready On Purpose");
    else if (database_is_ready(routes->database, clock_monotonic_ms()))
        http_respond_text(request, 200, "OK");
    else
        http_respond_text(request, 500, "DB Not Ready");
}

static void write_metrics(const void *context, FILE *out)
{
    const struct routes *routes = context;

    http_server_write_metrics(routes->server, out);
    batcher_write_metrics(routes->batcher, out);
    database_write_metrics(routes->database, out);
    faults_write_metrics(routes->faults, out);
    process_metrics_write("pingpong", out);
}

static void handle_metrics(void *context, struct http_request *request)
{
    http_respond_written(request, METRICS_CONTENT_TYPE, write_metrics, context);
}

const struct http_route routes_table[] = {
    {"/ping", HTTP_GET | HTTP_POST, handle_ping},
    {"/pingpong", HTTP_GET | HTTP_POST, handle_ping},
    {"/count", HTTP_GET | HTTP_HEAD, handle_count},
    {"/healthz", HTTP_GET | HTTP_HEAD, handle_healthz},
    {"/livez", HTTP_GET | HTTP_HEAD, handle_root},
    {"/", HTTP_GET | HTTP_HEAD, handle_root},
    {"/metrics", HTTP_GET | HTTP_HEAD, handle_metrics},
    {"/version", HTTP_GET | HTTP_HEAD, http_identity_handle_version},
};
const size_t routes_count = sizeof routes_table / sizeof routes_table[0];
