/* pong_reply.h - what pingpong answers: {"pong":N}. Any thread. */
#ifndef LOG_OUTPUT_PONG_REPLY_H
#define LOG_OUTPUT_PONG_REPLY_H

#include "attributes.h"

#include <stddef.h>
#include <stdint.h>

/* 2^53: beyond it JSON numbers are no longer exact for everyone. */
#define PONG_REPLY_MAX INT64_C(9007199254740992)

/* Accepts an object whose one member is "pong", a whole number from 0 to PONG_REPLY_MAX, with
 * nothing but white space around it. Returns 0 and sets *number, or -1. */
MUST_CHECK int pong_reply_parse(const char *text, size_t length, int64_t *number);

#endif
