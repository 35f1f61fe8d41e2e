#include "pong_reply.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static int take_number(const cJSON *object, int64_t *number)
{
    const cJSON *pong = cJSON_IsObject(object) ? object->child : NULL;

    if (pong == NULL || pong->next != NULL || strcmp(pong->string, "pong") != 0 ||
        !cJSON_IsNumber(pong))
        return -1;
    double value = pong->valuedouble;
    if (!(value >= 0 && value <= (double)PONG_REPLY_MAX) || value != floor(value))
        return -1;
    *number = (int64_t)value;
    return 0;
}

int pong_reply_parse(const char *text, size_t length, int64_t *number)
{
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts(text, length, &end, false);
    int result = -1;

    if (object != NULL) {
        while (end < text + length && strchr(" \t\r\n", *end) != NULL && *end != '\0')
            end++;
        if (end == text + length)
            result = take_number(object, number);
    }
    cJSON_Delete(object);
    return result;
}
