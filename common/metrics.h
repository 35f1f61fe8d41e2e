/* metrics.h - counters, gauges and histograms in the Prometheus text format 0.0.4.
 *
 * There is no registry: a module keeps its own numbers and writes them when asked, so it can be
 * tested alone. Format: https://prometheus.io/docs/instrumenting/exposition_formats/ . Not
 * thread-safe: the thread that owns the numbers writes them.
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#define HISTOGRAM_BUCKETS_MAX 16

/* Observations counted by upper bound. Set `bounds` (ascending, borrowed for ever) and
 * `bound_count` (at most HISTOGRAM_BUCKETS_MAX); the rest starts as zero. */
struct histogram {
    const double *bounds;
    size_t bound_count;
    uint64_t counts[HISTOGRAM_BUCKETS_MAX + 1]; /* the last one: above every bound */
    double sum;
};

/* Bounds for durations in seconds: 0.1 ms to 5 s. */
extern const double histogram_seconds_bounds[];
extern const size_t histogram_seconds_bound_count;

void histogram_observe(struct histogram *histogram, double value);

/* The HELP and TYPE lines of a metric; `type` is counter, gauge or histogram. */
void metrics_write_header(FILE *out, const char *name, const char *type, const char *help);

/* One sample. `labels` is what stands between the braces, already escaped (see
 * metrics_escape_label()), or NULL. */
void metrics_write_sample(FILE *out, const char *name, const char *labels, double value);

/* Header and sample of a metric that has just one. */
void metrics_write_counter(FILE *out, const char *name, const char *help, uint64_t value);
void metrics_write_gauge(FILE *out, const char *name, const char *help, double value);

/* All samples of a histogram, without its header. */
void metrics_write_histogram(FILE *out, const char *name, const char *labels,
                             const struct histogram *histogram);

/* Copies a label's value with backslash, quote and newline escaped; cuts what does not fit. */
void metrics_escape_label(const char *value, char *out, size_t size);

#endif
