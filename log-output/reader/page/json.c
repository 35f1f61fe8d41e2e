#include "reader/page/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The object, and where it says what is missing. */
struct page {
    cJSON *object;
    cJSON *missing;
};

static void add_missing(const struct page *page, const char *name, const char *why)
{
    char clean[PAGE_TEXT_SIZE];

    page_parts_clean(why, strlen(why), clean);
    cJSON_AddNullToObject(page->object, name);
    cJSON_AddStringToObject(page->missing, name, clean);
}

static void add_text(const struct page *page, const char *name, const char *text, size_t length)
{
    char clean[PAGE_TEXT_SIZE];

    page_parts_clean(text, length, clean);
    cJSON_AddStringToObject(page->object, name, clean);
}

static void add_config(const struct page *page, const struct page_parts *parts)
{
    char problem[1024];

    if (page_parts_config_problem(parts, problem, sizeof problem))
        add_missing(page, "file", problem);
    else
        add_text(page, "file", parts->config, parts->config_length);
}

static void add_message(const struct page *page, const struct page_parts *parts)
{
    if (parts->message == NULL)
        add_missing(page, "message", "MESSAGE is not set");
    else
        add_text(page, "message", parts->message, strlen(parts->message));
}

static void add_timestamp(const struct page *page, const struct page_parts *parts)
{
    char problem[1024];
    bool wrong = page_parts_timestamp_problem(parts, problem, sizeof problem);

    if (parts->shared->timestamp[0] == '\0') {
        add_missing(page, "timestamp", problem);
        cJSON_AddNullToObject(page->object, "hash");
        return;
    }
    cJSON_AddStringToObject(page->object, "timestamp", parts->shared->timestamp);
    cJSON_AddStringToObject(page->object, "hash", parts->hash);
    if (wrong)
        cJSON_AddStringToObject(page->missing, "timestamp", problem);
}

/* In digits: as a double it would not be exact beyond 2^53. */
static void add_pong(const struct page *page, const struct page_parts *parts)
{
    char text[256];

    if (page_parts_pong_problem(parts, text, sizeof text)) {
        add_missing(page, "pong", text);
        return;
    }
    snprintf(text, sizeof text, "%" PRId64, parts->pong);
    cJSON_AddRawToObject(page->object, "pong", text);
}

cJSON *page_json_create(const struct page_parts *parts)
{
    const struct page page = {cJSON_CreateObject(), cJSON_CreateObject()};

    add_config(&page, parts);
    add_message(&page, parts);
    add_timestamp(&page, parts);
    add_pong(&page, parts);
    cJSON_AddItemToObject(page.object, "missing", page.missing);
    cJSON *who = cJSON_AddObjectToObject(page.object, "answered_by");
    http_identity_add(who, "reader", &parts->reader);
    http_identity_add(who, "pingpong", &parts->pingpong);
    return page.object;
}
