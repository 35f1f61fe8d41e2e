#include "reading.h"

#include "http/identity.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_LINE "Ping / Pongs: "

enum { HEADER_VERSION, HEADER_COMMIT, HEADER_INSTANCE };

const char *const reading_headers[] = {
    [HEADER_VERSION] = HTTP_IDENTITY_VERSION_HEADER,
    [HEADER_COMMIT] = HTTP_IDENTITY_COMMIT_HEADER,
    [HEADER_INSTANCE] = HTTP_IDENTITY_INSTANCE_HEADER,
};
const size_t reading_header_count = sizeof reading_headers / sizeof *reading_headers;

const char *outcome_label(enum outcome outcome)
{
    static const char *const labels[OUTCOME_COUNT] = {
        [OUTCOME_OK] = "ok",
        [OUTCOME_NOT_COUNTED] = "not_counted",
        [OUTCOME_NOT_SENT] = "not_sent",
        [OUTCOME_MAY_BE_COUNTED] = "may_be_counted",
    };
    return labels[outcome];
}

/* A whole number of at least 0 and what follows it; all digits count, which a double cannot hold.
 * Returns NULL if there is none. */
static const char *read_number(const char *text, int64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0)
        return NULL;
    *number = value;
    return end;
}

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

/* The member's own text. In JSON a quote inside a string has a backslash before it, so the name
 * with its quotes and a colon is a member's. */
static int read_member(const char *json, int64_t *number)
{
    static const char name[] = "\"pong\"";

    for (const char *found = json; (found = strstr(found, name)) != NULL;) {
        found = skip_space(found + sizeof name - 1);
        if (*found != ':')
            continue;
        const char *end = read_number(skip_space(found + 1), number);
        return end != NULL && strchr(",} \t\r\n", *end) != NULL ? 0 : -1;
    }
    return -1;
}

/* Exactly, and the same number as the parser's. */
static int read_pong(const cJSON *pong, const char *json, int64_t *number)
{
    return read_member(json, number) == 0 && (double)*number == pong->valuedouble ? 0 : -1;
}

static const char *last_line(const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && strchr("\r\n", text[length - 1]) != NULL)
        length--;
    while (length > 0 && text[length - 1] != '\n')
        length--;
    return text + length;
}

static int read_page(const char *text, int64_t *number)
{
    const char *line = last_line(text);

    if (strncmp(line, PAGE_LINE, sizeof PAGE_LINE - 1) != 0)
        return -1;
    const char *end = read_number(line + sizeof PAGE_LINE - 1, number);
    return end != NULL && *skip_space(end) == '\0' ? 0 : -1;
}

static const char *string_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

/* What the service says of the error: pingpong's error, or why the page lacks its number. */
static void read_error(const cJSON *object, const char *body, char *out, size_t size)
{
    const char *text = string_of(object, "error");

    if (text[0] == '\0')
        text = string_of(cJSON_GetObjectItemCaseSensitive(object, "missing"), "pong");
    if (object == NULL && strncmp(last_line(body), PAGE_LINE, sizeof PAGE_LINE - 1) == 0)
        text = last_line(body);
    snprintf(out, size, "%.*s", (int)strcspn(text, "\r\n"), text);
}

static bool says_not_counted(const char *text)
{
    return strstr(text, "not counted") != NULL && strstr(text, "may have been counted") == NULL;
}

static void read_outcome(const struct client_answer *answer, const cJSON *object,
                         struct reading *reading)
{
    bool whole = strlen(answer->body) == answer->length;
    const cJSON *pong = cJSON_GetObjectItemCaseSensitive(object, "pong");
    char error[sizeof reading->reason - 32];

    if (answer->status == 200 && whole &&
        (cJSON_IsNumber(pong) ? read_pong(pong, answer->body, &reading->number)
                              : read_page(answer->body, &reading->number)) == 0) {
        reading->outcome = OUTCOME_OK;
        return;
    }
    read_error(object, answer->body, error, sizeof error);
    reading->outcome = says_not_counted(error) ? OUTCOME_NOT_COUNTED : OUTCOME_MAY_BE_COUNTED;
    snprintf(reading->reason, sizeof reading->reason, "status %ld%s%s", answer->status,
             error[0] == '\0' ? (answer->status == 200 ? ", no number" : "") : ": ", error);
}

static void set_answerer(struct answerer *answerer, const char *version, const char *commit,
                         const char *instance)
{
    snprintf(answerer->version, sizeof answerer->version, "%s", version);
    snprintf(answerer->commit, sizeof answerer->commit, "%s", commit);
    snprintf(answerer->instance, sizeof answerer->instance, "%s", instance);
}

/* Who gave the number: by the headers, or where the page tells both hops, the second. */
static void read_answerer(const struct client_answer *answer, const cJSON *object,
                          struct answerer *answerer)
{
    const cJSON *hops = cJSON_GetObjectItemCaseSensitive(object, "answered_by");
    const cJSON *hop = cJSON_GetObjectItemCaseSensitive(hops, "pingpong");

    if (cJSON_IsObject(hops))
        set_answerer(answerer, string_of(hop, "version"), string_of(hop, "commit"),
                     string_of(hop, "instance"));
    else
        set_answerer(answerer, answer->headers[HEADER_VERSION], answer->headers[HEADER_COMMIT],
                     answer->headers[HEADER_INSTANCE]);
}

void reading_take(const struct client_answer *answer, struct reading *reading)
{
    *reading = (struct reading){.outcome = OUTCOME_MAY_BE_COUNTED};
    if (answer->result == CLIENT_OK || answer->result == CLIENT_BAD_STATUS) {
        cJSON *object = cJSON_Parse(answer->body);
        read_answerer(answer, object, &reading->answerer);
        read_outcome(answer, object, reading);
        cJSON_Delete(object);
        return;
    }
    if (!answer->was_sent)
        reading->outcome = OUTCOME_NOT_SENT;
    snprintf(reading->reason, sizeof reading->reason, "%s", client_result_label(answer->result));
}
