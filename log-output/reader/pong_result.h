/* pong_result.h - how asking pingpong ended, in a person's words. Any thread. */
#ifndef LOG_OUTPUT_PONG_RESULT_H
#define LOG_OUTPUT_PONG_RESULT_H

#include "client/result.h"

#include <stddef.h>
#include <stdint.h>

/* "pingpong did not answer within 2500 ms". `status` is the HTTP status. */
void pong_result_describe(enum client_result result, long status, int64_t timeout_ms, char *out,
                          size_t size);

#endif
