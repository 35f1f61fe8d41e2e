#include "http/statistics.h"

#include "http/server.h"
#include "metrics.h"

#include <stdlib.h>

/* A fixed set keeps what clients can make the metrics grow to bounded. The last of each is what
 * is not listed. */
static const unsigned codes[] = {200, 400, 403, 404, 405, 413, 414, 431, 499, 500, 501, 503};
static const char *const code_labels[] = {"200", "400", "403", "404", "405", "413",  "414",
                                          "431", "499", "500", "501", "503", "other"};
static const char *const method_labels[] = {"GET", "HEAD", "POST", "other"};

#define CODES (sizeof code_labels / sizeof code_labels[0])
#define METHODS (sizeof method_labels / sizeof method_labels[0])

struct route_statistics {
    uint64_t requests[METHODS][CODES];
    struct histogram duration;
};

struct http_statistics {
    size_t count; /* the routes and "other" */
    struct route_statistics routes[];
};

struct http_statistics *http_statistics_create(size_t route_count)
{
    size_t count = route_count + 1;
    struct http_statistics *statistics =
        calloc(1, sizeof *statistics + count * sizeof statistics->routes[0]);
    if (statistics == NULL)
        return NULL;
    statistics->count = count;
    for (size_t i = 0; i < count; i++) {
        statistics->routes[i].duration.bounds = histogram_seconds_bounds;
        statistics->routes[i].duration.bound_count = histogram_seconds_bound_count;
    }
    return statistics;
}

void http_statistics_destroy(struct http_statistics *statistics)
{
    free(statistics);
}

static size_t code_index(unsigned status)
{
    size_t i = 0;
    while (i < CODES - 1 && codes[i] != status)
        i++;
    return i;
}

static size_t method_index(unsigned method)
{
    return method == HTTP_GET ? 0 : method == HTTP_HEAD ? 1 : method == HTTP_POST ? 2 : 3;
}

void http_statistics_record(struct http_statistics *statistics, size_t route, unsigned method,
                            unsigned status, int64_t duration_ns)
{
    struct route_statistics *entry = &statistics->routes[route];
    entry->requests[method_index(method)][code_index(status)]++;
    histogram_observe(&entry->duration, (double)duration_ns / 1e9);
}

static void write_requests(const struct route_statistics *entry, const char *route, FILE *out)
{
    char labels[160];
    for (size_t method = 0; method < METHODS; method++)
        for (size_t code = 0; code < CODES; code++) {
            uint64_t count = entry->requests[method][code];
            if (count == 0)
                continue;
            snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",code=\"%s\"", route,
                     method_labels[method], code_labels[code]);
            metrics_write_sample(out, "http_requests_total", labels, (double)count);
        }
}

void http_statistics_write(const struct http_statistics *statistics,
                           const char *(*route_label)(const void *context, size_t route),
                           const void *context, FILE *out)
{
    char labels[160];

    metrics_write_header(out, "http_requests_total", "counter",
                         "Requests answered, by route, method and code.");
    for (size_t i = 0; i < statistics->count; i++)
        write_requests(&statistics->routes[i], route_label(context, i), out);
    metrics_write_header(out, "http_request_duration_seconds", "histogram",
                         "Time from a request's head to its answer's last byte, by route.");
    for (size_t i = 0; i < statistics->count; i++) {
        snprintf(labels, sizeof labels, "route=\"%s\"", route_label(context, i));
        metrics_write_histogram(out, "http_request_duration_seconds", labels,
                                &statistics->routes[i].duration);
    }
}
