/* witness/reading.h - what one answer says: the number, or whether there is one without us; and who
 * said it. Touches nothing else. Any thread.
 */
#ifndef WITNESS_READING_H
#define WITNESS_READING_H

#include "answerer.h"
#include "client/client.h"

#include <stddef.h>
#include <stdint.h>

/* The page as JSON with a configuration and a message of 4 KiB each, every byte escaped. */
#define READING_BODY_MAX_BYTES 65536

/* How sure it is that the request counted. */
enum outcome {
    OUTCOME_OK,             /* answered with its number */
    OUTCOME_NOT_COUNTED,    /* the answer says so */
    OUTCOME_NOT_SENT,       /* there was no connection to send it on, or no client free */
    OUTCOME_MAY_BE_COUNTED, /* everything else */
    OUTCOME_COUNT,
};

struct reading {
    enum outcome outcome;
    int64_t number;           /* OUTCOME_OK */
    char reason[128];         /* else: what happened, for a person; UTF-8 is not checked */
    struct answerer answerer; /* "" unless somebody answered in HTTP */
};

/* The headers that a client has to keep for this (client_options.headers). */
extern const char *const reading_headers[];
extern const size_t reading_header_count;

/* Reads pingpong's {"pong":N}, the page as JSON, or the page's last line "Ping / Pongs: N", and the
 * errors of each. */
void reading_take(const struct client_answer *answer, struct reading *reading);

/* For a metric's label: "ok", "not_counted", "not_sent", "may_be_counted". */
const char *outcome_label(enum outcome outcome);

#endif
