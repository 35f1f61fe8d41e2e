/* appender.h - appends lines to a file that stays bounded and is never seen empty or torn.
 *
 * A line is one write(). A write that the disk cut short is taken back, so the next line follows a
 * whole one. When the file would outgrow its limit, its last lines and the new one are written to
 * a file beside it, which then takes its place by rename: who reads sees the old file or the new
 * one. The file is opened anew for each line, so one that was removed or replaced is made or found
 * again. One writer at a time; one thread.
 */
#ifndef LOG_OUTPUT_APPENDER_H
#define LOG_OUTPUT_APPENDER_H

#include "attributes.h"

#include <stddef.h>

struct appender;

/* `path` is borrowed. Removes what a writer that was killed while replacing the file may have left
 * beside it. Returns NULL if out of memory. */
MUST_CHECK struct appender *appender_create(const char *path, size_t max_bytes);

/* Accepts NULL. */
void appender_destroy(struct appender *appender);

/* Appends `line` (without newline, shorter than a quarter of max_bytes) and a newline. Returns 0,
 * or -1 with errno; then the file ends as it did before, or will be mended by the next call. */
MUST_CHECK int appender_append(struct appender *appender, const char *line);

#endif
