/* The answer to a request: kept, given its headers, handed to the library, used again. */
#include "clock.h"
#include "http/internal.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* After an answer: send it, finish it, take up what its client had sent ahead. With fewer, clients
 * that send several requests at once wait for the tick before each. */
#define PASSES_AFTER_ANSWER 3

void http_request_recycle(struct http_request *request)
{
    free(request->large_body);
    request->large_body = NULL;
    http_request_drop_body(request);
    request->next_free = request->server->free;
    request->server->free = request;
}

/* Lists the methods of a route for Allow. */
static void list_methods(unsigned methods, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", methods & HTTP_GET ? ", GET" : "",
             methods & HTTP_HEAD ? ", HEAD" : "", methods & HTTP_POST ? ", POST" : "");
    memmove(out, out + 2, strlen(out + 2) + 1);
}

static void add_identity(const struct http_identity *identity, struct MHD_Response *response)
{
    if (!identity->shown)
        return;
    MHD_add_response_header(response, HTTP_IDENTITY_VERSION_HEADER, identity->own.version);
    MHD_add_response_header(response, HTTP_IDENTITY_COMMIT_HEADER, identity->own.commit);
    MHD_add_response_header(response, HTTP_IDENTITY_INSTANCE_HEADER, identity->own.instance);
}

/* The connection's last one. How many bytes a body in chunks took is the library's secret, and what
 * follows it could not be told from it. */
static bool is_last(const struct http_request *request)
{
    return request->server->draining || request->entry->chunked;
}

static void add_headers(const struct http_request *request, struct MHD_Response *response)
{
    const struct http_server *server = request->server;
    char methods[32];

    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    add_identity(&server->identity, response);
    for (const struct http_header *own = request->headers; own != NULL && own->name != NULL; own++)
        MHD_add_response_header(response, own->name, own->value);
    if (request->status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (request->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        list_methods(server->options.routes[request->route].methods, methods, sizeof methods);
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, methods);
    }
    if (is_last(request))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

void http_request_drop_response(struct http_request *request)
{
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    request->response = NULL;
}

/* Where the answer is. */
static const char *body_of(const struct http_request *request)
{
    if (request->constant_body != NULL)
        return request->constant_body;
    return request->large_body != NULL ? request->large_body : request->inline_body;
}

/* Points at memory that goes, or has headers that depend on more than the key by which an answer is
 * used again. */
static bool is_used_once(const struct http_request *request)
{
    return request->large_body != NULL || is_last(request) ||
           request->status == MHD_HTTP_METHOD_NOT_ALLOWED;
}

static bool can_use_again(const struct http_request *request)
{
    return request->response != NULL && !is_used_once(request) &&
           request->response_status == request->status &&
           request->response_type == request->content_type &&
           request->response_headers == request->headers &&
           request->response_body == body_of(request) &&
           request->response_length == request->length;
}

enum MHD_Result http_request_send(struct http_request *request)
{
    if (!can_use_again(request)) {
        const char *body = body_of(request);
        http_request_drop_response(request);
        /* The library takes the body as it is, and does not write to it. */
        request->response =
            MHD_create_response_from_buffer(request->length, (void *)body, MHD_RESPMEM_PERSISTENT);
        if (request->response == NULL)
            return MHD_NO;
        add_headers(request, request->response);
        request->response_status = request->status;
        request->response_type = request->content_type;
        request->response_headers = request->headers;
        request->response_body = body;
        request->response_length = request->length;
    }
    request->phase = SENDING;
    request->server->has_taken_answer = true;
    http_connections_send(request->server->connections, request->entry, clock_monotonic_ms());
    enum MHD_Result result =
        MHD_queue_response(request->connection, request->status, request->response);
    /* The library holds its own reference while it sends. */
    if (is_used_once(request))
        http_request_drop_response(request);
    return result;
}

static void store_body(struct http_request *request, const char *body, size_t length)
{
    static const char no_memory[] = "{\"error\":\"out of memory\"}";
    char *target = request->inline_body;

    if (length > sizeof request->inline_body) {
        request->large_body = malloc(length);
        target = request->large_body;
    }
    if (target == NULL) {
        request->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        request->content_type = "application/json";
        target = request->inline_body;
        body = no_memory;
        length = sizeof no_memory - 1;
    }
    memcpy(target, body, length);
    request->length = length;
}

/* Returns whether there is anyone to answer; else the request is gone. */
static bool begin_answer(struct http_request *request, unsigned status, const char *content_type)
{
    if (request->abandoned) {
        http_request_recycle(request);
        return false;
    }
    if (request->phase == KEPT)
        request->server->waiting--;
    request->status = status;
    request->content_type = content_type;
    request->constant_body = NULL;
    request->phase = ANSWERED;
    request->server->passes = PASSES_AFTER_ANSWER;
    return true;
}

void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  const char *body, size_t length)
{
    if (begin_answer(request, status, content_type))
        store_body(request, body, length);
}

void http_respond_constant(struct http_request *request, unsigned status, const char *content_type,
                           const char *body, size_t length)
{
    if (!begin_answer(request, status, content_type))
        return;
    request->constant_body = body;
    request->length = length;
}

void http_respond_written(struct http_request *request, const char *content_type,
                          void (*write)(const void *context, FILE *out), const void *context)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (out != NULL)
        write(context, out);
    if (out == NULL || fclose(out) != 0)
        http_respond_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    else
        http_respond(request, MHD_HTTP_OK, content_type, text, length);
    free(text);
}

void http_respond_text(struct http_request *request, unsigned status, const char *text)
{
    http_respond(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

void http_respond_error(struct http_request *request, unsigned status, const char *message)
{
    char body[512] = "{\"error\":\"\"}";
    cJSON *object = cJSON_CreateObject();

    if (object != NULL && cJSON_AddStringToObject(object, "error", message) != NULL)
        (void)cJSON_PrintPreallocated(object, body, sizeof body, false);
    cJSON_Delete(object);
    http_respond(request, status, "application/json", body, strlen(body));
}

void http_respond_json(struct http_request *request, unsigned status, cJSON *object)
{
    char *text = object == NULL ? NULL : cJSON_PrintUnformatted(object);

    if (text == NULL)
        http_respond_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    else
        http_respond(request, status, "application/json", text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(object);
}
