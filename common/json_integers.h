/* json_integers.h - reads a flat JSON object of whole numbers, exactly: {"first":1,"last":9}.
 *
 * A general JSON library gives numbers as doubles, which are exact up to 2^53 only. Any thread.
 */
#ifndef COMMON_JSON_INTEGERS_H
#define COMMON_JSON_INTEGERS_H

#include "attributes.h"

#include <stddef.h>
#include <stdint.h>

#define JSON_INTEGERS_MAX 8

/* Accepts an object with each of the `count` names (at most JSON_INTEGERS_MAX) once, in any order,
 * and nothing else; its values are written as digits only (no sign, fraction or exponent) and at
 * most INT64_MAX. Names are compared as they are written. `text` needs no terminator and may hold
 * any bytes. Returns 0 and fills `values`, or -1. */
MUST_CHECK int json_integers_parse(const char *text, size_t length, const char *const *names,
                                   size_t count, int64_t *values);

#endif
