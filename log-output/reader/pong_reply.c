#include "pong_reply.h"

#include "json_integers.h"

int pong_reply_parse(const char *text, size_t length, int64_t *number)
{
    static const char *const names[] = {"pong"};
    return json_integers_parse(text, length, names, 1, number);
}
