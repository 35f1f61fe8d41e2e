#include "http/identity.h"

#include "http/internal.h"
#include "log.h"
#include "program.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <unistd.h>

const char *const http_identity_headers[HTTP_IDENTITY_HEADER_COUNT] = {
    HTTP_IDENTITY_VERSION_HEADER,
    HTTP_IDENTITY_COMMIT_HEADER,
    HTTP_IDENTITY_INSTANCE_HEADER,
};

/* Letters, digits and signs only, so that it can stand in a header without quotes. */
static bool is_name(const char *text)
{
    size_t length = 0;

    while (text[length] > ' ' && text[length] < 0x7F)
        length++;
    return text[length] == '\0' && length > 0 && length < HTTP_IDENTITY_INSTANCE_SIZE;
}

static void take_host_name(struct http_identity *identity)
{
    size_t size = sizeof identity->instance;

    if (gethostname(identity->instance, size - 1) != 0 || !is_name(identity->instance))
        snprintf(identity->instance, size, "unknown");
}

static int take_name(struct http_identity *identity, const char *instance)
{
    if (instance == NULL) {
        take_host_name(identity);
        return 0;
    }
    if (!is_name(instance)) {
        log_error("setting not accepted",
                  LOG_FIELDS(log_string("setting", "POD_NAME"), log_string("value", instance),
                             log_string("accepted", "up to 253 visible ASCII characters")));
        return -1;
    }
    snprintf(identity->instance, sizeof identity->instance, "%s", instance);
    return 0;
}

int http_identity_init(struct http_identity *identity, bool shown, const char *instance)
{
    *identity = (struct http_identity){.shown = shown};
    if (take_name(identity, instance) != 0)
        return -1;
    if (shown)
        identity->own = (struct http_answerer){program_version, program_commit, identity->instance};
    return 0;
}

static void add_members(cJSON *object, const struct http_answerer *who)
{
    cJSON_AddStringToObject(object, "version", who->version);
    cJSON_AddStringToObject(object, "commit", who->commit);
    cJSON_AddStringToObject(object, "instance", who->instance);
}

void http_identity_add(cJSON *object, const char *name, const struct http_answerer *who)
{
    if (who->version == NULL || who->version[0] == '\0')
        cJSON_AddNullToObject(object, name);
    else
        add_members(cJSON_AddObjectToObject(object, name), who);
}

void http_identity_handle_version(void *context, struct http_request *request)
{
    const struct http_identity *identity = &request->server->identity;

    (void)context;
    if (!identity->shown) {
        http_respond_error(request, MHD_HTTP_NOT_FOUND, "not found");
        return;
    }
    cJSON *object = cJSON_CreateObject();
    add_members(object, &identity->own);
    http_respond_json(request, MHD_HTTP_OK, object);
}
