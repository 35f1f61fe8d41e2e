/* Any text as the value of a setting of each type: what is accepted must be what was written. */
#include "log.h"
#include "settings.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct values {
    int64_t integer;
    bool boolean;
    int choice;
    const char *text;
};

static const struct setting table[] = {
    {.name = "FUZZ_INTEGER",
     .type = SETTING_INTEGER,
     .offset = offsetof(struct values, integer),
     .default_value = "7",
     .minimum = -5,
     .maximum = 65535},
    {.name = "FUZZ_BOOLEAN",
     .type = SETTING_BOOLEAN,
     .offset = offsetof(struct values, boolean),
     .default_value = "false"},
    {.name = "FUZZ_CHOICE",
     .type = SETTING_CHOICE,
     .offset = offsetof(struct values, choice),
     .default_value = "one",
     .choices = "one two three"},
    {.name = "FUZZ_TEXT", .type = SETTING_STRING, .offset = offsetof(struct values, text)},
};

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_one(const struct setting *setting, const char *text)
{
    static const char *const words[] = {"one", "two", "three"};
    struct values values = {0};

    setenv(setting->name, text, 1);
    bool accepted = settings_load(setting, 1, &values) == 0;
    if (accepted && text[0] != '\0' && setting->type == SETTING_INTEGER)
        check(values.integer >= -5 && values.integer <= 65535 &&
              values.integer == strtoll(text, NULL, 10));
    if (accepted && text[0] != '\0' && setting->type == SETTING_CHOICE)
        check(values.choice >= 0 && values.choice < 3 && strcmp(words[values.choice], text) == 0);
    if (accepted && text[0] != '\0' && setting->type == SETTING_BOOLEAN)
        check(strcmp(text, values.boolean ? "true" : "false") == 0);
    if (setting->type == SETTING_STRING)
        check(accepted && (text[0] == '\0' ? values.text == NULL : strcmp(values.text, text) == 0));
    unsetenv(setting->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512];

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_one(&table[i], text);
    return 0;
}
