/* faults/burner.h - a thread that uses a share of one processor. Create and destroy it on one
 * thread, after signals are set up: the thread inherits their mask. */
#ifndef COMMON_FAULTS_BURNER_H
#define COMMON_FAULTS_BURNER_H

#include "attributes.h"

struct burner;

/* `share` of a processor, above 0 and up to 1. Returns 0 and sets *burner, owned by the caller, or
 * -1 with errno. */
MUST_CHECK int burner_create(struct burner **burner, double share);

/* Accepts NULL. Waits for the thread's end: a few milliseconds. */
void burner_destroy(struct burner *burner);

#endif
