/* Any text as a timestamp: what is accepted is written again just as it was. */
#include "clock.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char again[CLOCK_TIMESTAMP_SIZE];
    int64_t realtime_ms;

    if (clock_parse_timestamp((const char *)data, size, &realtime_ms) != 0)
        return 0;
    clock_format_timestamp(realtime_ms, again);
    if (size != CLOCK_TIMESTAMP_LENGTH || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
