#include "verdict.h"

#include "lines.h"
#include "report.h"

static bool add_held(cJSON *line, const struct judge_counts *counts)
{
    bool held = counts->judged > 0;
    cJSON *violated = cJSON_CreateArray();

    if (!held)
        cJSON_AddItemToArray(violated, cJSON_CreateString("nothing was answered"));
    for (enum judge_violation i = 0; i < JUDGE_VIOLATION_COUNT; i++)
        if (counts->violations[i] > 0) {
            held = false;
            cJSON_AddItemToArray(violated, cJSON_CreateString(judge_violation_label(i)));
        }
    cJSON_AddBoolToObject(line, "held", held);
    cJSON_AddItemToObject(line, "violated", violated);
    return held;
}

static void add_numbers(cJSON *line, const struct judge_counts *counts, bool exclusive)
{
    report_add_integer(line, "lowest", counts->lowest);
    report_add_integer(line, "highest", counts->highest);
    if (exclusive)
        report_add_integer(line, "missing", counts->missing);
    lines_add_violations(line, counts);
}

static void add_outages(cJSON *line, const struct outages *outages, int64_t now_ns)
{
    cJSON *object = cJSON_AddObjectToObject(line, "outages");

    report_add_integer(object, "count", (int64_t)outages->count);
    report_add_seconds(object, "seconds", outages_total_ns(outages, now_ns));
    cJSON_AddBoolToObject(object, "open", outages->current.open);
}

static void add_version(cJSON *array, const struct version *version)
{
    cJSON *row = cJSON_CreateObject();

    cJSON_AddStringToObject(row, "version", version->version);
    cJSON_AddStringToObject(row, "commit", version->commit);
    report_add_integer(row, "answered", (int64_t)version->counts[OUTCOME_OK]);
    cJSON_AddItemToArray(array, row);
}

static void add_versions(cJSON *line, const struct versions *versions)
{
    cJSON *array = cJSON_AddArrayToObject(line, "versions");

    for (size_t i = 0; i < VERSIONS_MAX; i++)
        if (versions->rows[i].used)
            add_version(array, &versions->rows[i]);
}

cJSON *verdict_make(const struct verdict_parts *parts, int64_t now_ns, bool *held)
{
    const struct tally_part *total = &parts->tally->total;
    cJSON *line = report_event("verdict");

    *held = add_held(line, parts->counts);
    cJSON_AddBoolToObject(line, "exclusive", parts->exclusive);
    report_add_seconds(line, "seconds", now_ns - total->since_ns);
    lines_add_outcomes(line, total);
    report_add_latency(line, &total->latency);
    add_numbers(line, parts->counts, parts->exclusive);
    add_outages(line, parts->outages, now_ns);
    add_versions(line, &parts->tally->versions);
    report_add_integer(line, "lines_lost", (int64_t)parts->lines_lost);
    return line;
}
