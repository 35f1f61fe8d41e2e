#include "memory_limit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct version {
    const char *folder, *file;
};

static const struct version first = {"/memory", "memory.limit_in_bytes"};
static const struct version second = {"", "memory.max"};

/* What is there may be a number or "max". */
static int64_t read_limit(const char *path)
{
    char text[32];
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return INT64_MAX;
    bool is_there = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    char *end = text;
    long long limit = is_there ? strtoll(text, &end, 10) : 0;
    return end == text || limit < 0 ? INT64_MAX : limit;
}

/* A container often sees its own group as the folder itself, whatever its path says. */
static int64_t least_upwards(const char *folder, const struct version *version, char *group)
{
    int64_t least = INT64_MAX;
    char path[PATH_MAX];

    for (char *end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
        *end = '\0';
        snprintf(path, sizeof path, "%s%s%s/%s", folder, version->folder, group, version->file);
        int64_t limit = read_limit(path);
        if (limit < least)
            least = limit;
    }
    return least;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* A line is NUMBER:CONTROLLERS:GROUP; version 2 names no controllers. See cgroups(7). */
static int64_t limit_of_line(char *line, const char *folder)
{
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');

    if (group == NULL)
        return INT64_MAX;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    controllers++;
    if (*controllers == '\0')
        return least_upwards(folder, &second, group);
    return has_word(controllers, "memory") ? least_upwards(folder, &first, group) : INT64_MAX;
}

int64_t memory_limit_read(const char *membership, const char *folder)
{
    int64_t least = INT64_MAX;
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(membership, "re");

    if (file == NULL)
        return INT64_MAX;
    while (getline(&line, &size, file) >= 0) {
        int64_t limit = limit_of_line(line, folder);
        if (limit < least)
            least = limit;
    }
    free(line);
    fclose(file);
    return least;
}

int64_t memory_limit_bytes(void)
{
    return memory_limit_read("/proc/self/cgroup", "/sys/fs/cgroup");
}
