/* Any end of a shared file: a timestamp that is found stands there, whole, on a line of its own. */
#include "shared_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char timestamp[CLOCK_TIMESTAMP_SIZE];
    int64_t found_ms, parsed_ms;

    for (int whole = 0; whole <= 1; whole++) {
        if (shared_file_find_last((const char *)data, size, whole != 0, timestamp, &found_ms) != 0)
            continue;
        if (strlen(timestamp) != CLOCK_TIMESTAMP_LENGTH ||
            memmem(data, size, timestamp, CLOCK_TIMESTAMP_LENGTH) == NULL ||
            clock_parse_timestamp(timestamp, CLOCK_TIMESTAMP_LENGTH, &parsed_ms) != 0 ||
            parsed_ms != found_ms)
            abort();
    }
    return 0;
}
