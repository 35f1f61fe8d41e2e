/* http/head.h - judges a request's head: whether what is said in it is well-formed and can be meant
 * in one way only (RFC 9110, RFC 9112), so that no proxy in front reads it differently, and how
 * much of a connection's memory it takes. Pure; one pass, no memory. Any thread.
 */
#ifndef COMMON_HTTP_HEAD_H
#define COMMON_HTTP_HEAD_H

#include "attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the library keeps for each field, cookie and argument: seven words, aligned. */
#define HTTP_HEAD_RECORD_BYTES 64

/* What is wrong with a request, and the status that says so; status 0: nothing. */
struct http_fault {
    unsigned status;
    const char *message;
};

struct http_head {
    struct http_fault fault; /* the first */
    bool http_1_0;
    unsigned hosts, lengths, codings;
    struct http_fault coding_fault; /* what is wrong with the codings alone */
    bool chunked;                   /* one of them is */
    uint64_t announced_bytes;       /* Content-Length */
    size_t memory_bytes;            /* what the library keeps beyond the head's own bytes */
};

/* The target as it was sent. */
struct http_fault http_head_judge_target(const char *target, size_t length);

/* What is wrong with the method, or with a target of this form for it. */
struct http_fault http_head_judge_method(const char *method, const char *target);

/* Bytes that the library keeps for the arguments in a target. */
size_t http_head_argument_bytes(const char *target);

void http_head_begin(struct http_head *head, const char *version);

/* One field. `value` may be NULL if the field has none. */
void http_head_add(struct http_head *head, const char *name, size_t name_length, const char *value,
                   size_t value_length);

/* After the last field: what is wrong with the whole. */
struct http_fault http_head_end(struct http_head *head);

#endif
