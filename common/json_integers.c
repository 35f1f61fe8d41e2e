#include "json_integers.h"

#include <stdbool.h>
#include <string.h>

/* What is left of the text. */
struct rest {
    const char *next, *end;
};

static void skip_space(struct rest *rest)
{
    while (rest->next < rest->end && *rest->next != '\0' && strchr(" \t\r\n", *rest->next) != NULL)
        rest->next++;
}

/* Takes the character, with the white space around it. */
static bool take(struct rest *rest, char expected)
{
    skip_space(rest);
    if (rest->next == rest->end || *rest->next != expected)
        return false;
    rest->next++;
    skip_space(rest);
    return true;
}

/* Takes a name and returns its index, or `count` if it is none of them. */
static size_t take_name(struct rest *rest, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if ((size_t)(rest->end - rest->next) < length + 2 || rest->next[0] != '"' ||
            memcmp(rest->next + 1, names[i], length) != 0 || rest->next[length + 1] != '"')
            continue;
        rest->next += length + 2;
        return i;
    }
    return count;
}

static bool take_digits(struct rest *rest, int64_t *value)
{
    const char *first = rest->next;

    *value = 0;
    for (; rest->next < rest->end && *rest->next >= '0' && *rest->next <= '9'; rest->next++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *rest->next - '0', value))
            return false;
    /* JSON has no leading zeros. */
    return rest->next > first && (*first != '0' || rest->next == first + 1);
}

int json_integers_parse(const char *text, size_t length, const char *const *names, size_t count,
                        int64_t *values)
{
    struct rest rest = {.next = text, .end = text + length};
    int64_t found[JSON_INTEGERS_MAX] = {0};
    bool seen[JSON_INTEGERS_MAX] = {false};

    if (!take(&rest, '{'))
        return -1;
    for (size_t taken = 0; taken < count; taken++) {
        if (taken > 0 && !take(&rest, ','))
            return -1;
        size_t index = take_name(&rest, names, count);
        if (index == count || seen[index] || !take(&rest, ':') ||
            !take_digits(&rest, &found[index]))
            return -1;
        seen[index] = true;
    }
    if (!take(&rest, '}') || rest.next != rest.end)
        return -1;
    memcpy(values, found, count * sizeof *values);
    return 0;
}
