/* Any answer to a request for several pings: numbers that are accepted are as many as were asked
 * for, in range, and both ends of them stand in the text. */
#include "pong_reply.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 4096

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static bool has_number(const uint8_t *data, size_t size, int64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, number);
    return memmem(data, size, digits, (size_t)length) != NULL;
}

static void check_again(int64_t first, int64_t last, int64_t count)
{
    char text[80];
    int64_t again = -1;
    int length =
        snprintf(text, sizeof text, "{\"first\":%" PRId64 ",\"last\":%" PRId64 "}", first, last);

    expect(pong_reply_parse_several(text, (size_t)length, count, &again) == 0 && again == first);
    expect(pong_reply_parse_several(text, (size_t)length, count + 1, &again) != 0);
    expect(pong_reply_parse(text, (size_t)length, &again) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t first = -1;

    if (size < 2)
        return 0;
    int64_t count = (data[0] | data[1] << 8) % COUNT_MAX + 1;
    data += 2;
    size -= 2;
    if (pong_reply_parse_several((const char *)data, size, count, &first) != 0) {
        expect(first == -1);
        return 0;
    }
    expect(first >= 0 && first <= INT64_MAX - (count - 1));
    expect(has_number(data, size, first) && has_number(data, size, first + count - 1));
    check_again(first, first + count - 1, count);
    return 0;
}
