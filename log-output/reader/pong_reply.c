#include "pong_reply.h"

#include "json_integers.h"

#include <string.h>

int pong_reply_parse(const char *text, size_t length, int64_t *number)
{
    static const char *const names[] = {"pong"};
    return json_integers_parse(text, length, names, 1, number);
}

int pong_reply_parse_several(const char *text, size_t length, int64_t count, int64_t *first)
{
    static const char *const names[] = {"first", "last"};
    int64_t range[2];

    if (json_integers_parse(text, length, names, 2, range) != 0 || range[1] < range[0] ||
        range[1] - range[0] != count - 1)
        return -1;
    *first = range[0];
    return 0;
}

bool pong_reply_is_not_counted(long status, const char *text)
{
    return status == 404 || status == 405 || (status == 503 && strstr(text, "not counted") != NULL);
}
