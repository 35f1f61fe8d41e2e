/* witness/versions.h - which versions answer now, and how often each did: a bounded table.
 *
 * A version has appeared with its first answer, and is gone when neither the last
 * VERSIONS_GONE_ANSWERS answers nor those of the last VERSIONS_GONE_NS were its own: a canary of
 * one pod in ten is not gone because others had a few turns. The table holds VERSIONS_MAX; a new
 * one takes the place of the one gone longest, and while none is gone its answers count as "other".
 * Touches nothing else. One thread.
 */
#ifndef WITNESS_VERSIONS_H
#define WITNESS_VERSIONS_H

#include "answerer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERSIONS_MAX 8
#define VERSIONS_GONE_ANSWERS 100
#define VERSIONS_GONE_NS INT64_C(5000000000)

/* The row for what fits in none: answers of "other" versions, and failures without an answer. */
#define VERSIONS_OTHER VERSIONS_MAX

struct version {
    char version[ANSWERER_VERSION_SIZE]; /* "" if the service does not say */
    char commit[ANSWERER_VERSION_SIZE];
    bool used;
    bool answering;
    int64_t last_ns;      /* of its last answer */
    uint64_t last_answer; /* the same, as a number of answers of all versions */
    uint64_t counts[4];   /* what the owner counts; zero when the row is taken */
};

struct versions {
    struct version rows[VERSIONS_MAX + 1];
    uint64_t answers;
};

/* An answer came. Returns the version's row, and sets *appeared. */
size_t versions_note(struct versions *versions, const struct answerer *answerer, int64_t now_ns,
                     bool *appeared);

/* Marks one version that is gone and returns its row, or returns VERSIONS_OTHER if none is. Call it
 * again until then. */
size_t versions_next_gone(struct versions *versions, int64_t now_ns);

#endif
