/* capture.h - standard error of this process, as text. Main thread only. */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

/* From now on standard error goes to a file of its own. */
void capture_begin(void);

/* Standard error is what it was again. Returns what was written, zero-terminated, owned by the
 * caller. */
char *capture_end(void);

#endif
