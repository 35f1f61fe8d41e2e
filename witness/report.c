#include "report.h"

#include "clock.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_MS 1000000

cJSON *report_event(const char *event)
{
    char now[CLOCK_TIMESTAMP_SIZE];
    cJSON *object = cJSON_CreateObject();

    clock_format_timestamp(clock_realtime_ms(), now);
    cJSON_AddStringToObject(object, "time", now);
    cJSON_AddStringToObject(object, "event", event);
    return object;
}

void report_add_integer(cJSON *object, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, value);
    cJSON_AddRawToObject(object, name, text);
}

/* Thousandths of a unit, as a decimal. */
static void add_thousandths(cJSON *object, const char *name, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, value / 1000, value % 1000);
    cJSON_AddRawToObject(object, name, text);
}

void report_add_seconds(cJSON *object, const char *name, int64_t duration_ns)
{
    add_thousandths(object, name, duration_ns / NS_PER_MS);
}

void report_add_time(cJSON *object, const char *name, int64_t monotonic_ns)
{
    int64_t ago_ms = (clock_monotonic_ns() - monotonic_ns) / NS_PER_MS;
    char text[CLOCK_TIMESTAMP_SIZE];

    clock_format_timestamp(clock_realtime_ms() - ago_ms, text);
    cJSON_AddStringToObject(object, name, text);
}

static void add_known(cJSON *object, const char *name, const char *value)
{
    if (value[0] != '\0')
        cJSON_AddStringToObject(object, name, value);
}

void report_add_answerer(cJSON *object, const char *name, const struct answerer *answerer)
{
    if (answerer->version[0] == '\0' && answerer->commit[0] == '\0' &&
        answerer->instance[0] == '\0') {
        cJSON_AddNullToObject(object, name);
        return;
    }
    cJSON *added = cJSON_AddObjectToObject(object, name);
    add_known(added, "version", answerer->version);
    add_known(added, "commit", answerer->commit);
    add_known(added, "instance", answerer->instance);
}

void report_add_latency(cJSON *object, const struct latency *latency)
{
    cJSON *added = cJSON_AddObjectToObject(object, "latency_ms");

    add_thousandths(added, "p50", latency_quantile_ns(latency, 0.5) / 1000);
    add_thousandths(added, "p99", latency_quantile_ns(latency, 0.99) / 1000);
    add_thousandths(added, "max", latency->max_ns / 1000);
}

/* When poll() says that there is room in a pipe, so many bytes never block. */
static int write_chunk(const char **text, size_t *left, int64_t deadline_ms)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    int64_t wait_ms = deadline_ms - clock_monotonic_ms();
    size_t length = *left < PIPE_BUF ? *left : PIPE_BUF;

    if (poll(&output, 1, wait_ms < 0 ? 0 : (int)wait_ms) != 1 || !(output.revents & POLLOUT))
        return -1;
    ssize_t written = write(STDOUT_FILENO, *text, length);
    if (written <= 0)
        return -1;
    *text += written;
    *left -= (size_t)written;
    return 0;
}

int report_write(cJSON *object, int64_t wait_ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    char *line = object == NULL ? NULL : cJSON_PrintUnformatted(object);
    int result = line == NULL ? -1 : 0;

    cJSON_Delete(object);
    if (line == NULL)
        return -1;
    /* The terminator makes room for the line's end. */
    size_t left = strlen(line) + 1;
    line[left - 1] = '\n';
    for (const char *text = line; left > 0 && result == 0;)
        result = write_chunk(&text, &left, deadline_ms);
    cJSON_free(line);
    return result;
}
