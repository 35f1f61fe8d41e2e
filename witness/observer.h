/* witness/observer.h - what was seen: each request that ended is judged, counted, and told where
 * it changes something. Everything belongs to the loop's thread.
 *
 * Lines on standard output: outage_began, outage_ended, version_appeared, version_gone, violation
 * (the first OBSERVER_VIOLATION_LINES; all are counted), a summary every ten seconds, the verdict,
 * and, if that is wanted, request for each.
 */
#ifndef WITNESS_OBSERVER_H
#define WITNESS_OBSERVER_H

#include "attributes.h"
#include "client/client.h"
#include "event_loop.h"
#include "witness_settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OBSERVER_VIOLATION_LINES 100

/* A request, as the observer wants it kept by whoever sends it. */
struct observed {
    int64_t planned_ns; /* set by the sender; monotonic, as all times here */
    int64_t ended_ns;   /* likewise */
    bool was_sent;      /* set by observer_send() */
    int64_t floor;      /* likewise */
};

struct observer;

/* The settings are borrowed. Returns 0 and sets *observer, owned by the caller, or -1 if out of
 * memory. */
MUST_CHECK int observer_create(struct observer **observer, struct event_loop *loop,
                               const struct witness_settings *settings);

/* Accepts NULL. */
void observer_destroy(struct observer *observer);

/* A request is about to be sent. */
void observer_send(struct observer *observer, struct observed *observed);

/* A request ended, sent or not. */
void observer_end(struct observer *observer, const struct observed *observed,
                  const struct client_answer *answer);

/* Prints the verdict, once; all requests have ended. Returns true if nothing was violated, of at
 * least one number that was seen, and the verdict could be written. */
bool observer_conclude(struct observer *observer);

/* The verdict so far, as one JSON object and a line's end. */
void observer_write_verdict(const struct observer *observer, FILE *out);

/* Writes the tally's metrics and witness_violations_total, witness_outage,
 * witness_outages_total, witness_outage_seconds_total, witness_requests_in_flight,
 * witness_highest_number and witness_numbers_missing. */
void observer_write_metrics(const struct observer *observer, FILE *out);

#endif
