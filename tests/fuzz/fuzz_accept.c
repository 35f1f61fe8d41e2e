/* Any Accept header: one of the types is chosen, the same with empty elements around it, and the
 * one that is asked for alone and most specifically if it is put before all else. */
#include "http/accept.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define TYPES 3

static const char *const types[TYPES] = {"text/plain", "application/json", "text/html"};

static size_t choose(const char *before, const uint8_t *data, size_t size)
{
    char *accept = NULL;

    if (asprintf(&accept, "%s%.*s", before, (int)size, (const char *)data) < 0)
        abort();
    size_t chosen = http_accept_choose(accept, types, TYPES);
    free(accept);
    return chosen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t chosen = choose("", data, size);

    if (chosen >= TYPES || chosen != choose(" ,\t, ", data, size))
        abort();
    if (choose("text/plain;q=0,application/json;q=0,text/html,", data, size) != 2)
        abort();
    return 0;
}
