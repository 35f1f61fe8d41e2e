#include "trace.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define VERSION_00_LENGTH (TRACE_PARENT_SIZE - 1)
#define STATE_MEMBERS_MAX 32
#define STATE_KEY_BYTES_MAX 256
#define STATE_VALUE_BYTES_MAX 256

/* A trace's id and a span's; so many that the kernel gives them whole, see getrandom(2). */
#define ID_BYTES 24
#define IDS_AT_ONCE 10

static bool is_lower_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

static bool is_all_zero(const char *text, size_t length)
{
    return strspn(text, "0") >= length;
}

int trace_parse(const char *header, struct trace *trace)
{
    /* The shape is checked from the left, so a short header ends the check at its terminator. */
    if (header == NULL || strnlen(header, VERSION_00_LENGTH) < VERSION_00_LENGTH)
        return -1;
    const char *trace_id = header + 3, *parent_id = header + 36, *flags = header + 53;
    if (!is_lower_hex(header, 2) || header[2] != '-' || !is_lower_hex(trace_id, 32) ||
        header[35] != '-' || !is_lower_hex(parent_id, 16) || header[52] != '-' ||
        !is_lower_hex(flags, 2))
        return -1;
    char after = header[VERSION_00_LENGTH];
    bool version_00 = memcmp(header, "00", 2) == 0;
    if (memcmp(header, "ff", 2) == 0 || (version_00 && after != '\0') ||
        (after != '\0' && after != '-'))
        return -1;
    if (is_all_zero(trace_id, 32) || is_all_zero(parent_id, 16))
        return -1;
    snprintf(trace->trace_id, sizeof trace->trace_id, "%.32s", trace_id);
    snprintf(trace->parent_id, sizeof trace->parent_id, "%.16s", parent_id);
    snprintf(trace->flags, sizeof trace->flags, "%.2s", flags);
    return 0;
}

/* A lower-case letter or digit, then signs as well. Level 2 of the standard allows an @ anywhere
 * but first; level 1 wanted one at most, between two parts of lengths of their own. */
static bool is_key(const char *key, size_t length)
{
    static const char beginning[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";

    return length >= 1 && length <= STATE_KEY_BYTES_MAX && strspn(key, beginning) >= 1 &&
           strspn(key, all) >= length;
}

/* Visible characters and spaces but , and =; not a space at the end. */
static bool is_value(const char *value, size_t length)
{
    if (length == 0 || length > STATE_VALUE_BYTES_MAX || value[length - 1] == ' ')
        return false;
    for (size_t i = 0; i < length; i++)
        if (value[i] < ' ' || value[i] > '~' || value[i] == ',' || value[i] == '=')
            return false;
    return true;
}

static bool is_member(const char *member, size_t length)
{
    const char *equals = memchr(member, '=', length);
    if (equals == NULL)
        return false;
    size_t key = (size_t)(equals - member);
    return is_key(member, key) && is_value(equals + 1, length - key - 1);
}

bool trace_state_is_valid(const char *state)
{
    int members = 0;

    while (*state != '\0') {
        size_t length = strcspn(state, ",");
        const char *first = state + strspn(state, " \t"), *end = state + length;
        while (end > first && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if (first < end &&
            (++members > STATE_MEMBERS_MAX || !is_member(first, (size_t)(end - first))))
            return false;
        state += length + (state[length] == ',');
    }
    return members > 0;
}

static void write_hex(const uint8_t *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * count] = '\0';
}

/* Taken from the kernel for several ids at once. Ids only have to be unlikely to meet: where the
 * kernel has no entropy yet, at boot, the call would wait, and they are made without it; all zeros
 * are what the standard does not allow. */
static const uint8_t *next_random(void)
{
    static _Thread_local uint8_t pool[IDS_AT_ONCE * ID_BYTES];
    static _Thread_local size_t left;

    if (left == 0) {
        if (getrandom(pool, sizeof pool, GRND_NONBLOCK) != (ssize_t)sizeof pool) {
            memset(pool, 1, ID_BYTES);
            return pool;
        }
        left = IDS_AT_ONCE;
    }
    return pool + --left * ID_BYTES;
}

void trace_continue(const struct trace *parent, char out[TRACE_PARENT_SIZE])
{
    char trace_id[TRACE_ID_SIZE], span_id[17];
    const uint8_t *bytes = next_random();

    write_hex(bytes, 16, trace_id);
    write_hex(bytes + 16, 8, span_id);
    snprintf(out, TRACE_PARENT_SIZE, "00-%.32s-%.16s-%.2s",
             parent == NULL ? trace_id : parent->trace_id, span_id,
             parent == NULL ? "00" : parent->flags);
}
