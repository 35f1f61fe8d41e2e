/* pong_reply.h - what pingpong answers: {"pong":N}, {"first":A,"last":B}, or why not. Any thread.
 */
#ifndef LOG_OUTPUT_PONG_REPLY_H
#define LOG_OUTPUT_PONG_REPLY_H

#include "attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Accepts an object whose one member is "pong", a whole number from 0 to INT64_MAX in digits, with
 * nothing but white space around it. Returns 0 and sets *number, or -1. */
MUST_CHECK int pong_reply_parse(const char *text, size_t length, int64_t *number);

/* The same for the members "first" and "last", which have to be `count` numbers. Sets the first. */
MUST_CHECK int pong_reply_parse_several(const char *text, size_t length, int64_t count,
                                        int64_t *first);

/* Whether an answer with this status and this text, zero-terminated, says that nothing was counted:
 * a 503 of pingpong's in words, a path or method that is not known by its status. */
bool pong_reply_is_not_counted(long status, const char *text);

#endif
