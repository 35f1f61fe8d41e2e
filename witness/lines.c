#include "lines.h"

#include "report.h"

#include <stdio.h>

void lines_add_outcomes(cJSON *line, const struct tally_part *part)
{
    report_add_integer(line, "requests", (int64_t)tally_part_count(part));
    for (enum outcome i = 0; i < OUTCOME_COUNT; i++)
        report_add_integer(line, outcome_label(i), (int64_t)part->outcomes[i]);
}

void lines_add_violations(cJSON *line, const struct judge_counts *counts)
{
    cJSON *violations = cJSON_AddObjectToObject(line, "violations");

    for (enum judge_violation i = 0; i < JUDGE_VIOLATION_COUNT; i++)
        report_add_integer(violations, judge_violation_label(i), (int64_t)counts->violations[i]);
}

cJSON *lines_summary(const struct tally_part *recent, const struct judge_counts *counts,
                     bool outage, int64_t now_ns)
{
    cJSON *line = report_event("summary");

    report_add_seconds(line, "seconds", now_ns - recent->since_ns);
    lines_add_outcomes(line, recent);
    report_add_latency(line, &recent->latency);
    report_add_integer(line, "highest", counts->highest);
    lines_add_violations(line, counts);
    cJSON_AddBoolToObject(line, "outage", outage);
    return line;
}

static void add_answering(cJSON *line, const struct versions *versions)
{
    cJSON *answering = cJSON_AddArrayToObject(line, "answering");
    char name[2 * ANSWERER_VERSION_SIZE + 4];

    for (size_t i = 0; i < VERSIONS_MAX; i++) {
        const struct version *version = &versions->rows[i];
        snprintf(name, sizeof name, "%s (%s)", version->version, version->commit);
        if (version->answering)
            cJSON_AddItemToArray(answering, cJSON_CreateString(name));
    }
}

cJSON *lines_version(const char *event, const struct versions *versions, size_t row)
{
    const struct version *version = &versions->rows[row];
    cJSON *line = report_event(event);

    cJSON_AddStringToObject(line, "version", version->version);
    cJSON_AddStringToObject(line, "commit", version->commit);
    add_answering(line, versions);
    return line;
}

cJSON *lines_violation(enum judge_violation violation, int64_t floor, const struct reading *reading,
                       const struct judge_counts *counts)
{
    cJSON *line = report_event("violation");

    cJSON_AddStringToObject(line, "kind", judge_violation_label(violation));
    if (violation == JUDGE_MISSING) {
        report_add_integer(line, "missing", counts->missing);
        report_add_integer(line, "explained", (int64_t)counts->may_be_counted);
    } else {
        report_add_integer(line, "number", reading->number);
        report_add_integer(line, "acknowledged_before", floor);
    }
    report_add_integer(line, "lowest", counts->lowest);
    report_add_integer(line, "highest", counts->highest);
    report_add_answerer(line, "answerer", &reading->answerer);
    return line;
}

cJSON *lines_request(const struct reading *reading, int64_t planned_ns, int64_t ended_ns)
{
    cJSON *line = report_event("request");

    report_add_time(line, "began", planned_ns);
    report_add_seconds(line, "seconds", ended_ns - planned_ns);
    cJSON_AddStringToObject(line, "result", outcome_label(reading->outcome));
    if (reading->outcome == OUTCOME_OK)
        report_add_integer(line, "number", reading->number);
    else
        cJSON_AddStringToObject(line, "failed", reading->reason);
    report_add_answerer(line, "answerer", &reading->answerer);
    return line;
}

cJSON *lines_outage(const char *event, const struct outage *outage)
{
    cJSON *line = report_event(event);

    report_add_time(line, "began", outage->began_ns);
    cJSON_AddStringToObject(line, "failed", outage->reason);
    report_add_answerer(line, "before", &outage->before);
    if (outage->open)
        return line;
    report_add_seconds(line, "seconds", outage->ended_ns - outage->began_ns);
    report_add_integer(line, "failures", (int64_t)outage->failed);
    report_add_integer(line, "may_be_counted", (int64_t)outage->may_be_counted);
    report_add_answerer(line, "after", &outage->after);
    return line;
}
