#include "routes.h"

#include "http/identity.h"
#include "metrics.h"
#include "process_metrics.h"

static void handle_live(void *context, struct http_request *request)
{
    (void)context;
    http_respond_text(request, 200, "OK");
}

/* A witness is ready whatever its target does: to see that is what it is for. */
static void handle_health(void *context, struct http_request *request)
{
    const struct routes *routes = context;

    if (lifecycle_is_draining(routes->lifecycle))
        http_respond_text(request, 500, "Draining");
    else
        http_respond_text(request, 200, "OK");
}

static void write_verdict(const void *context, FILE *out)
{
    const struct routes *routes = context;
    observer_write_verdict(routes->observer, out);
}

static void handle_verdict(void *context, struct http_request *request)
{
    http_respond_written(request, "application/json", write_verdict, context);
}

static void write_metrics(const void *context, FILE *out)
{
    const struct routes *routes = context;

    http_server_write_metrics(routes->server, out);
    observer_write_metrics(routes->observer, out);
    process_metrics_write("witness", out);
}

static void handle_metrics(void *context, struct http_request *request)
{
    http_respond_written(request, METRICS_CONTENT_TYPE, write_metrics, context);
}

const struct http_route routes_table[] = {
    {"/", HTTP_GET | HTTP_HEAD, handle_live, 0},
    {"/healthz", HTTP_GET | HTTP_HEAD, handle_health, 0},
    {"/livez", HTTP_GET | HTTP_HEAD, handle_live, 0},
    {"/version", HTTP_GET | HTTP_HEAD, http_identity_handle_version, 0},
    {"/verdict", HTTP_GET | HTTP_HEAD, handle_verdict, 0},
    {"/metrics", HTTP_GET | HTTP_HEAD, handle_metrics, 0},
};
const size_t routes_count = sizeof routes_table / sizeof *routes_table;
