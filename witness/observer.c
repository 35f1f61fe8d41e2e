#include "observer.h"

#include "clock.h"
#include "judge.h"
#include "lines.h"
#include "log.h"
#include "outage.h"
#include "reading.h"
#include "report.h"
#include "tally.h"
#include "verdict.h"

#include <stdlib.h>

#define SUMMARY_NS INT64_C(10000000000)

/* How long the verdict waits for room on standard output; other lines do not. */
#define VERDICT_WAIT_MS 5000

struct observer {
    const struct witness_settings *settings;
    struct judge *judge;
    struct outages outages;
    struct tally tally;
    int64_t summary_due_ns;
    int64_t violation_lines;
    uint64_t lines_lost;
    bool concluded;
};

static void write_line(struct observer *observer, cJSON *line)
{
    if (report_write(line, 0) != 0)
        observer->lines_lost++;
}

static void write_version(struct observer *observer, const char *event, size_t row)
{
    write_line(observer, lines_version(event, &observer->tally.versions, row));
}

static void write_summary(struct observer *observer, int64_t now_ns)
{
    struct judge_counts counts = judge_counts(observer->judge);
    write_line(observer, lines_summary(&observer->tally.recent, &counts,
                                       observer->outages.current.open, now_ns));
}

static int64_t step(void *context, int64_t now_ms)
{
    struct observer *observer = context;
    int64_t now_ns = clock_monotonic_ns();
    size_t row;

    (void)now_ms;
    if (observer->concluded)
        return EVENT_LOOP_IDLE;
    while ((row = versions_next_gone(&observer->tally.versions, now_ns)) != VERSIONS_OTHER)
        write_version(observer, "version_gone", row);
    if (now_ns >= observer->summary_due_ns) {
        write_summary(observer, now_ns);
        tally_restart(&observer->tally, now_ns);
        observer->summary_due_ns += SUMMARY_NS;
    }
    return observer->summary_due_ns / 1000000 + 1;
}

int observer_create(struct observer **created, struct event_loop *loop,
                    const struct witness_settings *settings)
{
    struct observer *observer = calloc(1, sizeof *observer);
    if (observer == NULL)
        return -1;
    int64_t now_ns = clock_monotonic_ns();
    observer->settings = settings;
    observer->summary_due_ns = now_ns + SUMMARY_NS;
    observer->judge = judge_create(settings->exclusive);
    if (observer->judge == NULL) {
        free(observer);
        return -1;
    }
    tally_init(&observer->tally, now_ns);
    event_loop_add_step(loop, step, observer);
    *created = observer;
    return 0;
}

void observer_destroy(struct observer *observer)
{
    if (observer == NULL)
        return;
    judge_destroy(observer->judge);
    free(observer);
}

void observer_send(struct observer *observer, struct observed *observed)
{
    observed->was_sent = true;
    observed->floor = judge_sent(observer->judge);
}

static void tell_violations(struct observer *observer, unsigned violations,
                            const struct observed *observed, const struct reading *reading)
{
    struct judge_counts counts = judge_counts(observer->judge);

    for (enum judge_violation i = 0; i < JUDGE_VIOLATION_COUNT; i++)
        if (violations & 1U << i && observer->violation_lines < OBSERVER_VIOLATION_LINES) {
            observer->violation_lines++;
            write_line(observer, lines_violation(i, observed->floor, reading, &counts));
        }
}

static void judge(struct observer *observer, const struct observed *observed,
                  const struct reading *reading)
{
    unsigned violations = 0;

    if (reading->outcome == OUTCOME_OK)
        violations = judge_answered(observer->judge, observed->floor, reading->number);
    else if (observed->was_sent)
        violations = judge_failed(observer->judge, reading->outcome == OUTCOME_MAY_BE_COUNTED);
    tell_violations(observer, violations, observed, reading);
}

void observer_end(struct observer *observer, const struct observed *observed,
                  const struct client_answer *answer)
{
    int64_t planned_ns = observed->planned_ns;
    struct reading reading;
    bool appeared;

    reading_take(answer, &reading);
    size_t row = tally_add(&observer->tally, &reading, planned_ns, observed->ended_ns, &appeared);
    if (appeared)
        write_version(observer, "version_appeared", row);
    judge(observer, observed, &reading);
    if (observer->settings->tell_requests)
        write_line(observer, lines_request(&reading, planned_ns, observed->ended_ns));
    if (reading.outcome == OUTCOME_OK) {
        if (outages_answer(&observer->outages, planned_ns, &reading.answerer))
            write_line(observer, lines_outage("outage_ended", &observer->outages.current));
    } else if (outages_fail(&observer->outages, planned_ns,
                            reading.outcome == OUTCOME_MAY_BE_COUNTED, reading.reason)) {
        write_line(observer, lines_outage("outage_began", &observer->outages.current));
    }
}

static cJSON *make_verdict(const struct observer *observer, bool *held)
{
    struct judge_counts counts = judge_counts(observer->judge);
    const struct verdict_parts parts = {.exclusive = observer->settings->exclusive,
                                        .counts = &counts,
                                        .tally = &observer->tally,
                                        .outages = &observer->outages,
                                        .lines_lost = observer->lines_lost};
    return verdict_make(&parts, clock_monotonic_ns(), held);
}

bool observer_conclude(struct observer *observer)
{
    bool held;

    observer->concluded = true;
    cJSON *verdict = make_verdict(observer, &held);
    if (report_write(verdict, VERDICT_WAIT_MS) == 0)
        return held;
    log_error("the verdict could not be written", NULL);
    return false;
}

void observer_write_verdict(const struct observer *observer, FILE *out)
{
    bool held;
    cJSON *verdict = make_verdict(observer, &held);
    char *text = verdict == NULL ? NULL : cJSON_PrintUnformatted(verdict);

    fprintf(out, "%s\n", text == NULL ? "{}" : text);
    cJSON_free(text);
    cJSON_Delete(verdict);
}

static void write_violation_metrics(const struct judge_counts *counts, FILE *out)
{
    char label[64];

    metrics_write_header(out, "witness_violations_total", "counter",
                         "Numbers that break a promise, by which.");
    for (enum judge_violation i = 0; i < JUDGE_VIOLATION_COUNT; i++) {
        snprintf(label, sizeof label, "kind=\"%s\"", judge_violation_label(i));
        metrics_write_sample(out, "witness_violations_total", label, (double)counts->violations[i]);
    }
}

static void write_outage_metrics(const struct outages *outages, FILE *out)
{
    metrics_write_gauge(out, "witness_outage", "1 during an outage, else 0.",
                        outages->current.open);
    metrics_write_counter(out, "witness_outages_total", "Outages, the present one included.",
                          outages->count);
    metrics_write_header(out, "witness_outage_seconds_total", "counter",
                         "Length of all outages; of the present one up to its last failure.");
    metrics_write_sample(out, "witness_outage_seconds_total", NULL,
                         (double)outages_total_ns(outages, outages->current.last_failed_ns) / 1e9);
}

void observer_write_metrics(const struct observer *observer, FILE *out)
{
    struct judge_counts counts = judge_counts(observer->judge);

    tally_write_metrics(&observer->tally, out);
    write_violation_metrics(&counts, out);
    write_outage_metrics(&observer->outages, out);
    metrics_write_gauge(out, "witness_requests_in_flight", "Requests that were sent.",
                        (double)counts.in_flight);
    metrics_write_gauge(out, "witness_highest_number", "The highest number seen.",
                        (double)counts.highest);
    metrics_write_counter(out, "witness_lines_lost_total",
                          "Lines that standard output did not take.", observer->lines_lost);
}
