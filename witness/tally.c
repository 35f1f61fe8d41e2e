#include "tally.h"

#include <inttypes.h>

_Static_assert(sizeof((struct version){0}.counts) / sizeof(uint64_t) == OUTCOME_COUNT,
               "a version's requests are counted by outcome");

void tally_init(struct tally *tally, int64_t now_ns)
{
    *tally = (struct tally){.duration = {.bounds = histogram_seconds_bounds,
                                         .bound_count = histogram_seconds_bound_count}};
    tally->total.since_ns = tally->recent.since_ns = now_ns;
}

static void add_to_part(struct tally_part *part, enum outcome outcome, int64_t duration_ns)
{
    part->outcomes[outcome]++;
    if (outcome == OUTCOME_OK)
        latency_observe(&part->latency, duration_ns);
}

size_t tally_add(struct tally *tally, const struct reading *reading, int64_t planned_ns,
                 int64_t ended_ns, bool *appeared)
{
    enum outcome outcome = reading->outcome;

    add_to_part(&tally->total, outcome, ended_ns - planned_ns);
    add_to_part(&tally->recent, outcome, ended_ns - planned_ns);
    histogram_observe(&tally->duration, (double)(ended_ns - planned_ns) / 1e9);
    *appeared = false;
    /* An error of a proxy is no version's. */
    if (outcome != OUTCOME_OK && reading->answerer.version[0] == '\0') {
        tally->unanswered[outcome]++;
        return VERSIONS_OTHER;
    }
    size_t row = versions_note(&tally->versions, &reading->answerer, ended_ns, appeared);
    tally->versions.rows[row].counts[outcome]++;
    return row;
}

void tally_restart(struct tally *tally, int64_t now_ns)
{
    tally->recent = (struct tally_part){.since_ns = now_ns};
}

uint64_t tally_part_count(const struct tally_part *part)
{
    uint64_t count = 0;

    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        count += part->outcomes[i];
    return count;
}

/* A version whose commit is unknown, or the reverse, says so. */
static const char *known(const char *text)
{
    return text[0] == '\0' ? "unknown" : text;
}

static void write_outcomes(const char *version, const char *commit,
                           const uint64_t counts[OUTCOME_COUNT], FILE *out)
{
    char version_label[2 * ANSWERER_VERSION_SIZE], commit_label[2 * ANSWERER_VERSION_SIZE];
    char labels[sizeof version_label + sizeof commit_label + 64];

    metrics_escape_label(version, version_label, sizeof version_label);
    metrics_escape_label(commit, commit_label, sizeof commit_label);
    for (enum outcome i = 0; i < OUTCOME_COUNT; i++) {
        snprintf(labels, sizeof labels, "result=\"%s\",version=\"%s\",commit=\"%s\"",
                 outcome_label(i), version_label, commit_label);
        metrics_write_sample(out, "witness_requests_total", labels, (double)counts[i]);
    }
}

void tally_write_metrics(const struct tally *tally, FILE *out)
{
    metrics_write_header(out, "witness_requests_total", "counter",
                         "Requests, by how sure it is that they counted, and by who answered.");
    for (size_t i = 0; i < VERSIONS_MAX; i++) {
        const struct version *row = &tally->versions.rows[i];
        if (row->used)
            write_outcomes(known(row->version), known(row->commit), row->counts, out);
    }
    write_outcomes("other", "other", tally->versions.rows[VERSIONS_OTHER].counts, out);
    write_outcomes("none", "none", tally->unanswered, out);
    metrics_write_header(out, "witness_request_duration_seconds", "histogram",
                         "From a request's planned start to its end, failures included.");
    metrics_write_histogram(out, "witness_request_duration_seconds", NULL, &tally->duration);
}
