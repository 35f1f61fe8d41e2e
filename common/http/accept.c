#include "http/accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Qualities are in thousandths. */
#define QUALITY_MAX 1000

struct range {
    const char *name; /* borrowed; no terminator */
    size_t length;
    unsigned quality;
};

/* One that is malformed is as none. */
static unsigned parse_quality(const char *text)
{
    unsigned quality = 0;

    if (text[0] != '0')
        return QUALITY_MAX;
    if (text[1] != '.')
        return 0;
    text += 2;
    for (unsigned unit = 100; unit > 0 && *text >= '0' && *text <= '9'; unit /= 10)
        quality += (unsigned)(*text++ - '0') * unit;
    return quality;
}

static const char *skip(const char *text, const char *characters)
{
    return text + strspn(text, characters);
}

/* `text` is at the semicolon before a parameter; returns where it ends. */
static const char *read_parameter(const char *text, unsigned *quality)
{
    bool quoted = false;

    text = skip(text, "; \t");
    if (strncasecmp(text, "q=", 2) == 0)
        *quality = parse_quality(text + 2);
    for (; *text != '\0' && (quoted || (*text != ';' && *text != ',')); text++) {
        if (quoted && *text == '\\' && text[1] != '\0')
            text++;
        else if (*text == '"')
            quoted = !quoted;
    }
    return text;
}

/* Reads the range that begins at or after `text`; returns where it ends. */
static const char *read_range(const char *text, struct range *range)
{
    range->name = skip(text, ", \t");
    range->length = strcspn(range->name, ",; \t");
    range->quality = QUALITY_MAX;
    text = skip(range->name + range->length, " \t");
    while (*text == ';')
        text = read_parameter(text, &range->quality);
    /* What follows a blank and is no parameter belongs to no range. */
    return text + strcspn(text, ",");
}

/* 0: the range does not match; else the more specific the larger. */
static int specificity(const struct range *range, const char *type)
{
    size_t major = (size_t)(strchr(type, '/') - type) + 1;

    if (range->length == 3 && memcmp(range->name, "*/*", 3) == 0)
        return 1;
    if (range->length == major + 1 && range->name[major] == '*')
        return strncasecmp(range->name, type, major) == 0 ? 2 : 0;
    return range->length == strlen(type) && strncasecmp(range->name, type, range->length) == 0 ? 3
                                                                                               : 0;
}

/* The most specific range that matches decides. */
static unsigned quality_of(const char *type, const char *accept)
{
    struct range range;
    unsigned quality = 0;
    int best = 0;

    while (*skip(accept, ", \t") != '\0') {
        accept = read_range(accept, &range);
        int matched = specificity(&range, type);
        if (matched > best) {
            best = matched;
            quality = range.quality;
        }
    }
    return quality;
}

size_t http_accept_choose(const char *accept, const char *const *types, size_t count)
{
    size_t chosen = 0;
    unsigned best = 0;

    for (size_t i = 0; accept != NULL && i < count; i++) {
        unsigned quality = quality_of(types[i], accept);
        if (quality > best) {
            best = quality;
            chosen = i;
        }
    }
    return chosen;
}
