/* The body of a request, kept where its route asks for it. */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

static size_t wanted_bytes(const struct http_request *request)
{
    const struct http_server_options *options = &request->server->options;
    bool known = request->route < options->route_count;
    return known ? options->routes[request->route].body_max_bytes : 0;
}

int http_request_take_body(struct http_request *request, const char *data, size_t length)
{
    size_t wanted = wanted_bytes(request), begin = request->body_bytes;

    request->body_bytes += length;
    if (wanted == 0 || request->body_bytes > wanted)
        return 0;
    if (request->body == NULL && (request->body = malloc(wanted)) == NULL)
        return -1;
    memcpy(request->body + begin, data, length);
    return 0;
}

bool http_request_body_is_too_large(const struct http_request *request)
{
    size_t wanted = wanted_bytes(request);
    return request->body_bytes > (wanted > 0 ? wanted : HTTP_BODY_MAX_BYTES);
}

void http_request_drop_body(struct http_request *request)
{
    free(request->body);
    request->body = NULL;
}

const char *http_request_body(const struct http_request *request, size_t *length)
{
    *length = request->body_bytes;
    return request->body == NULL ? "" : request->body;
}
