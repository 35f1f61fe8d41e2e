/* client/reply.h - what comes in answer to a request: taken piece by piece, bounded, kept.
 *
 * Part of client. Everything belongs to the loop's thread.
 */
#ifndef COMMON_CLIENT_REPLY_H
#define COMMON_CLIENT_REPLY_H

#include "client/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* However long a server says that it keeps an idle connection. */
#define CLIENT_REPLY_IDLE_MAX_MS 60000

struct client_reply {
    const struct client_options *options;
    size_t head_bytes;
    size_t length; /* of the body */
    bool too_large;
    int64_t idle_ms; /* for which the connection may be idle, and be used again */
    const char *header_values[CLIENT_HEADERS_MAX];
    char header_buffers[CLIENT_HEADERS_MAX][CLIENT_HEADER_SIZE];
    char *body; /* client_reply_body_size() bytes */
};

/* Of the memory for a body, with its terminator. */
size_t client_reply_body_size(const struct client_options *options);

/* `options` and `body` are borrowed. */
void client_reply_init(struct client_reply *reply, const struct client_options *options,
                       char *body);

/* Forgets all of an earlier one. */
void client_reply_begin(struct client_reply *reply);

/* libcurl's CURLOPT_HEADERFUNCTION, called for each line, and CURLOPT_WRITEFUNCTION; the context is
 * the reply. */
size_t client_reply_take_head(char *data, size_t size, size_t count, void *context);
size_t client_reply_take_body(char *data, size_t size, size_t count, void *context);

/* Fills in the body and the headers. */
void client_reply_fill(struct client_reply *reply, struct client_answer *answer);

#endif
