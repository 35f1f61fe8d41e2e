#include "settings.h"

#include "host_list.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void describe_accepted(const struct setting *setting, char *out, size_t size)
{
    switch (setting->type) {
    case SETTING_INTEGER:
        snprintf(out, size, "a whole number from %" PRId64 " to %" PRId64, setting->minimum,
                 setting->maximum);
        break;
    case SETTING_BOOLEAN:
        snprintf(out, size, "true or false");
        break;
    case SETTING_SHARE:
        snprintf(out, size, "a number from 0 to 1, such as 0.25");
        break;
    case SETTING_CHOICE:
        snprintf(out, size, "one of: %s", setting->choices);
        break;
    case SETTING_HOSTS:
        snprintf(out, size, "one or several, separated by commas, without blanks");
        break;
    case SETTING_PORTS:
        snprintf(out, size,
                 "a whole number from 1 to 65535, or one for each host, separated by "
                 "commas");
        break;
    case SETTING_STRING:
        snprintf(out, size, "text");
        break;
    }
}

static int parse_integer(const struct setting *setting, const char *text, int64_t *value)
{
    char *end;

    /* strtoll() also skips white space and takes a plus sign; neither is a number here. */
    if (!(text[0] >= '0' && text[0] <= '9') && text[0] != '-')
        return -1;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || parsed < setting->minimum ||
        parsed > setting->maximum)
        return -1;
    *value = parsed;
    return 0;
}

static int parse_share(const char *text, double *value)
{
    char *end;

    /* strtod() also takes signs, exponents, hexadecimal digits and words. */
    if (text[strspn(text, "0123456789.")] != '\0')
        return -1;
    double parsed = strtod(text, &end);
    if (end == text || *end != '\0' || parsed > 1)
        return -1;
    *value = parsed;
    return 0;
}

static int parse_choice(const char *choices, const char *text, int *value)
{
    size_t length = strlen(text);
    int index = 0;

    for (const char *word = choices; *word != '\0'; index++) {
        size_t word_length = strcspn(word, " ");
        if (word_length == length && memcmp(word, text, length) == 0) {
            *value = index;
            return 0;
        }
        word += word_length;
        word += strspn(word, " ");
    }
    return -1;
}

static int parse(const struct setting *setting, const char *text, void *field)
{
    switch (setting->type) {
    case SETTING_STRING:
        *(const char **)field = text;
        return 0;
    case SETTING_HOSTS:
        *(const char **)field = text;
        return host_list_accepts_hosts(text) ? 0 : -1;
    case SETTING_PORTS:
        *(const char **)field = text;
        return host_list_accepts_ports(text) ? 0 : -1;
    case SETTING_INTEGER:
        return parse_integer(setting, text, field);
    case SETTING_BOOLEAN:
        *(bool *)field = strcmp(text, "true") == 0;
        return *(bool *)field || strcmp(text, "false") == 0 ? 0 : -1;
    case SETTING_SHARE:
        return parse_share(text, field);
    case SETTING_CHOICE:
        return parse_choice(setting->choices, text, field);
    }
    return -1;
}

/* Someone's URL in the wrong variable may hold a password: scheme://user:password@host. */
static const char *loggable(const char *text)
{
    return text != NULL && strchr(text, '@') != NULL ? "(not shown: may hold a password)" : text;
}

static int load_one(const struct setting *setting, void *field)
{
    const char *text = getenv(setting->name);
    char accepted[160];

    if (text == NULL || text[0] == '\0')
        text = setting->default_value;
    if (text == NULL && setting->type == SETTING_STRING) {
        *(const char **)field = NULL;
        return 0;
    }
    if (text != NULL && parse(setting, text, field) == 0)
        return 0;
    describe_accepted(setting, accepted, sizeof accepted);
    log_error("setting not accepted",
              LOG_FIELDS(log_string("setting", setting->name), log_string("value", loggable(text)),
                         log_string("accepted", accepted)));
    return -1;
}

int settings_load(const struct setting *table, size_t count, void *target)
{
    int result = 0;
    for (size_t i = 0; i < count; i++)
        if (load_one(&table[i], (char *)target + table[i].offset) != 0)
            result = -1;
    return result;
}

void settings_print(const struct setting *table, size_t count, FILE *out)
{
    char accepted[160];
    for (size_t i = 0; i < count; i++) {
        describe_accepted(&table[i], accepted, sizeof accepted);
        fprintf(out, "  %s (default: %s; %s)\n      %s\n", table[i].name,
                table[i].default_value == NULL ? "none" : table[i].default_value, accepted,
                table[i].help);
    }
}
