/* Any answer of an upstream: a number that is accepted is in range and stands in the text. */
#include "pong_reply.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t number = -1, again = -1;
    char text[48];

    if (pong_reply_parse((const char *)data, size, &number) != 0)
        return 0;
    if (number < 0 || memmem(data, size, "pong", 4) == NULL)
        abort();
    int length = snprintf(text, sizeof text, "{\"pong\":%" PRId64 "}", number);
    if (pong_reply_parse(text, (size_t)length, &again) != 0 || again != number)
        abort();
    return 0;
}
