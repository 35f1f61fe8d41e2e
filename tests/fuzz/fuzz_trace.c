/* Any header: what is accepted has the parts that the header shows, and can be continued. */
#include "trace.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char header[128], next[TRACE_PARENT_SIZE];
    struct trace trace, again;

    if (size >= sizeof header)
        return 0;
    memcpy(header, data, size);
    header[size] = '\0';
    if (trace_parse(header, &trace) != 0)
        return 0;
    if (strncmp(header + 3, trace.trace_id, 32) != 0 || strlen(trace.trace_id) != 32 ||
        strncmp(header + 36, trace.parent_id, 16) != 0)
        abort();
    trace_continue(&trace, next);
    if (trace_parse(next, &again) != 0 || strcmp(again.trace_id, trace.trace_id) != 0 ||
        strcmp(again.flags, trace.flags) != 0)
        abort();
    return 0;
}
