#include "metrics.h"

#include <inttypes.h>
#include <math.h>

const double histogram_seconds_bounds[] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
const size_t histogram_seconds_bound_count =
    sizeof histogram_seconds_bounds / sizeof histogram_seconds_bounds[0];

void histogram_observe(struct histogram *histogram, double value)
{
    size_t i = 0;
    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += value;
}

void metrics_write_header(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_write_sample(FILE *out, const char *name, const char *labels, double value)
{
    if (labels == NULL)
        fprintf(out, "%s ", name);
    else
        fprintf(out, "%s{%s} ", name, labels);
    if (isnan(value))
        fputs("NaN\n", out);
    else if (value == floor(value) && fabs(value) < 1e15)
        fprintf(out, "%.0f\n", value);
    else
        fprintf(out, "%.15g\n", value);
}

void metrics_write_counter(FILE *out, const char *name, const char *help, uint64_t value)
{
    metrics_write_header(out, name, "counter", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

void metrics_write_gauge(FILE *out, const char *name, const char *help, double value)
{
    metrics_write_header(out, name, "gauge", help);
    metrics_write_sample(out, name, NULL, value);
}

static void write_bucket(FILE *out, const char *name, const char *labels, const char *bound,
                         uint64_t count)
{
    fprintf(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels == NULL ? "" : labels,
            labels == NULL ? "" : ",", bound, count);
}

void metrics_write_histogram(FILE *out, const char *name, const char *labels,
                             const struct histogram *histogram)
{
    uint64_t count = 0;
    char text[160];

    for (size_t i = 0; i < histogram->bound_count; i++) {
        count += histogram->counts[i];
        snprintf(text, sizeof text, "%g", histogram->bounds[i]);
        write_bucket(out, name, labels, text, count);
    }
    count += histogram->counts[histogram->bound_count];
    write_bucket(out, name, labels, "+Inf", count);
    snprintf(text, sizeof text, "%s_sum", name);
    metrics_write_sample(out, text, labels, histogram->sum);
    snprintf(text, sizeof text, "%s_count", name);
    metrics_write_sample(out, text, labels, (double)count);
}

void metrics_escape_label(const char *value, char *out, size_t size)
{
    size_t used = 0;
    for (; *value != '\0' && used + 2 < size; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            out[used++] = '\\';
        out[used++] = *value == '\n' ? 'n' : *value;
    }
    out[used] = '\0';
}
