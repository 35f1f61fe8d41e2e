#include "routes.h"

#include "clock.h"
#include "http/identity.h"
#include "http/speculation.h"
#include "json_integers.h"
#include "metrics.h"
#include "process_metrics.h"

/* As many as may wait by default. */
#define PINGS_MAX 4096

#define PINGS_BODY_MAX_BYTES 1024

#define STRING_(x) #x
#define STRING(x) STRING_(x)

static void count_ping(void *context, struct http_request *request)
{
    batcher_ping(context, request);
}

static void handle_ping(void *context, struct http_request *request)
{
    const struct routes *routes = context;
    if (!http_refuse_speculation(request))
        faults_pass(routes->faults, request, count_ping, routes->batcher);
}

/* Several pings in one request, for those who have several to make. */
static void handle_pings(void *context, struct http_request *request)
{
    static const char *const names[] = {"count"};
    const struct routes *routes = context;
    int64_t count = 0;
    size_t length;
    const char *body = http_request_body(request, &length);

    if (json_integers_parse(body, length, names, 1, &count) != 0 || count < 1 || count > PINGS_MAX)
        http_respond_error(request, 400,
                           "the body has to be {\"count\":K}, K a whole number from 1 "
                           "to " STRING(PINGS_MAX));
    else
        batcher_ping_several(routes->batcher, request, count);
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
    {"/ping", HTTP_GET | HTTP_POST, handle_ping, 0},
    {"/pingpong", HTTP_GET | HTTP_POST, handle_ping, 0},
    {"/pings", HTTP_POST, handle_pings, PINGS_BODY_MAX_BYTES},
    {"/count", HTTP_GET | HTTP_HEAD, handle_count, 0},
    {"/healthz", HTTP_GET | HTTP_HEAD, handle_healthz, 0},
    {"/livez", HTTP_GET | HTTP_HEAD, handle_root, 0},
    {"/", HTTP_GET | HTTP_HEAD, handle_root, 0},
    {"/metrics", HTTP_GET | HTTP_HEAD, handle_metrics, 0},
    {"/version", HTTP_GET | HTTP_HEAD, http_identity_handle_version, 0},
};
const size_t routes_count = sizeof routes_table / sizeof routes_table[0];
