/* faults/faults.h - faults on purpose: errors, delays, a busy processor, a leak, a crash.
 *
 * They break what a cluster looks after, never the count: a request gets its error, or is held
 * back, before anything is done for it, and the error says that it was not counted. A crash is
 * like any other: a ping that was in flight may have been counted. Everything belongs to the
 * loop's thread.
 */
#ifndef COMMON_FAULTS_FAULTS_H
#define COMMON_FAULTS_FAULTS_H

#include "attributes.h"
#include "event_loop.h"
#include "faults/settings.h"
#include "http/server.h"

#include <stdbool.h>
#include <stdio.h>

struct faults;

/* `settings` are borrowed. Add the step of the HTTP server before, and those of whoever requests
 * are handed to after this. The loop's signals have to be set up. Returns 0 and sets *faults,
 * owned by the caller, or -1 with errno. */
MUST_CHECK int faults_create(struct faults **faults, struct event_loop *loop,
                             const struct fault_settings *settings);

/* Accepts NULL. Requests that are still held back are not handed on. */
void faults_destroy(struct faults *faults);

/* Hands a request that would count on to `handler`: at once, after a delay, or never, if it was
 * answered with 503 here. The handler finds the request's state zeroed. */
void faults_pass(struct faults *faults, struct http_request *request, http_handler *handler,
                 void *context);

/* Whether readiness has to fail; counts that it was asked. */
bool faults_are_unready(struct faults *faults);

/* Writes faults_injected_total and faults_leaked_bytes; nothing while faults are forbidden. */
void faults_write_metrics(const struct faults *faults, FILE *out);

#endif
