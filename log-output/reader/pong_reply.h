/* pong_reply.h - what pingpong answers: {"pong":N}. Any thread. */
#ifndef LOG_OUTPUT_PONG_REPLY_H
#define LOG_OUTPUT_PONG_REPLY_H

#include "attributes.h"

#include <stddef.h>
#include <stdint.h>

/* Accepts an object whose one member is "pong", a whole number from 0 to INT64_MAX in digits, with
 * nothing but white space around it. Returns 0 and sets *number, or -1. */
MUST_CHECK int pong_reply_parse(const char *text, size_t length, int64_t *number);

#endif
