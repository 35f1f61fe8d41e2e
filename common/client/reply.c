#include "client/reply.h"

#include <string.h>
#include <strings.h>

/* An answer's whole head; ours has about 150 bytes. */
#define HEAD_MAX_BYTES 8192

/* Of servers that do not say how long they keep an idle connection; Node.js keeps it for 5 s. */
#define IDLE_DEFAULT_MS 4000

/* Less than the server says: the request has to get there. */
#define IDLE_RESERVE_MS 1000

size_t client_reply_body_size(const struct client_options *options)
{
    return (options->body_max_bytes == 0 ? CLIENT_BODY_MAX_BYTES_DEFAULT
                                         : options->body_max_bytes) +
           1;
}

void client_reply_init(struct client_reply *reply, const struct client_options *options, char *body)
{
    *reply = (struct client_reply){.options = options, .body = body};
    for (size_t i = 0; i < CLIENT_HEADERS_MAX; i++)
        reply->header_values[i] = reply->header_buffers[i];
    client_reply_begin(reply);
}

void client_reply_begin(struct client_reply *reply)
{
    reply->head_bytes = 0;
    reply->length = 0;
    reply->too_large = false;
    reply->idle_ms = IDLE_DEFAULT_MS;
    for (size_t i = 0; i < reply->options->header_count; i++)
        reply->header_buffers[i][0] = '\0';
}

static void keep_header(struct client_reply *reply, size_t index, const char *value, size_t length)
{
    while (length > 0 && strchr(" \t", *value) != NULL) {
        value++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL)
        length--;
    if (length > CLIENT_HEADER_SIZE - 1)
        length = CLIENT_HEADER_SIZE - 1;
    memcpy(reply->header_buffers[index], value, length);
    reply->header_buffers[index][length] = '\0';
}

static void look_for_header(struct client_reply *reply, const char *line, size_t length)
{
    const struct client_options *options = reply->options;

    for (size_t i = 0; i < options->header_count; i++) {
        size_t name_length = strlen(options->headers[i]);
        if (length > name_length && line[name_length] == ':' &&
            strncasecmp(line, options->headers[i], name_length) == 0)
            keep_header(reply, i, line + name_length + 1, length - name_length - 1);
    }
}

/* "Keep-Alive: timeout=5" */
static void look_for_idle_time(struct client_reply *reply, const char *line, size_t length)
{
    static const char name[] = "Keep-Alive:", parameter[] = "timeout=";

    if (length < sizeof name || strncasecmp(line, name, sizeof name - 1) != 0)
        return;
    const char *found = memmem(line, length, parameter, sizeof parameter - 1);
    if (found == NULL)
        return;
    int64_t seconds = 0;
    for (const char *c = found + sizeof parameter - 1;
         c < line + length && *c >= '0' && *c <= '9' && seconds < CLIENT_REPLY_IDLE_MAX_MS; c++)
        seconds = 10 * seconds + (*c - '0');
    int64_t idle_ms = 1000 * seconds - IDLE_RESERVE_MS;
    reply->idle_ms = idle_ms < 0                          ? 0
                     : idle_ms > CLIENT_REPLY_IDLE_MAX_MS ? CLIENT_REPLY_IDLE_MAX_MS
                                                          : idle_ms;
}

/* An endless head ends here. */
size_t client_reply_take_head(char *data, size_t size, size_t count, void *context)
{
    struct client_reply *reply = context;

    reply->head_bytes += size * count;
    reply->too_large = reply->too_large || reply->head_bytes > HEAD_MAX_BYTES;
    if (reply->too_large)
        return 0;
    look_for_header(reply, data, size * count);
    look_for_idle_time(reply, data, size * count);
    return size * count;
}

size_t client_reply_take_body(char *data, size_t size, size_t count, void *context)
{
    struct client_reply *reply = context;
    size_t length = size * count;

    if (length > client_reply_body_size(reply->options) - 1 - reply->length) {
        reply->too_large = true;
        return 0;
    }
    memcpy(reply->body + reply->length, data, length);
    reply->length += length;
    return length;
}

void client_reply_fill(struct client_reply *reply, struct client_answer *answer)
{
    reply->body[reply->length] = '\0';
    answer->body = reply->body;
    answer->length = reply->length;
    answer->headers = reply->header_values;
}
