#include "versions.h"

#include <string.h>

static bool matches(const struct version *row, const struct answerer *answerer)
{
    return row->used && strcmp(row->version, answerer->version) == 0 &&
           strcmp(row->commit, answerer->commit) == 0;
}

static struct version *find(struct versions *versions, const struct answerer *answerer)
{
    for (size_t i = 0; i < VERSIONS_MAX; i++)
        if (matches(&versions->rows[i], answerer))
            return &versions->rows[i];
    return NULL;
}

/* A row that was never used, else the one gone longest, else the one for all others. */
static struct version *find_place(struct versions *versions)
{
    struct version *place = &versions->rows[VERSIONS_OTHER];

    for (size_t i = 0; i < VERSIONS_MAX; i++) {
        struct version *row = &versions->rows[i];
        if (!row->used)
            return row;
        if (!row->answering &&
            (place == &versions->rows[VERSIONS_OTHER] || row->last_ns < place->last_ns))
            place = row;
    }
    return place;
}

static struct version *take_place(struct versions *versions, const struct answerer *answerer)
{
    struct version *row = find_place(versions);

    if (row == &versions->rows[VERSIONS_OTHER])
        return row;
    *row = (struct version){.used = true};
    memcpy(row->version, answerer->version, sizeof row->version);
    memcpy(row->commit, answerer->commit, sizeof row->commit);
    return row;
}

size_t versions_note(struct versions *versions, const struct answerer *answerer, int64_t now_ns,
                     bool *appeared)
{
    struct version *row = find(versions, answerer);

    if (row == NULL)
        row = take_place(versions, answerer);
    size_t index = (size_t)(row - versions->rows);
    *appeared = index != VERSIONS_OTHER && !row->answering;
    row->answering = true;
    row->last_ns = now_ns;
    row->last_answer = ++versions->answers;
    return index;
}

size_t versions_next_gone(struct versions *versions, int64_t now_ns)
{
    for (size_t i = 0; i < VERSIONS_MAX; i++) {
        struct version *row = &versions->rows[i];
        if (row->answering && now_ns - row->last_ns >= VERSIONS_GONE_NS &&
            versions->answers - row->last_answer >= VERSIONS_GONE_ANSWERS) {
            row->answering = false;
            return i;
        }
    }
    return VERSIONS_OTHER;
}
