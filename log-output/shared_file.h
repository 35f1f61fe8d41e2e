/* shared_file.h - what the writer leaves for the reader: timestamps, one a line, the last one
 * counts.
 *
 * Only the file's end is looked at, whatever its size. A line counts once its newline is there, so
 * a line that is being written, or was torn by a full disk, is passed over for the one before. A
 * file without any complete timestamp line may be a bare timestamp: the form of the original
 * writer. Any thread.
 */
#ifndef LOG_OUTPUT_SHARED_FILE_H
#define LOG_OUTPUT_SHARED_FILE_H

#include "attributes.h"
#include "clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most this much of the file's end is read. */
#define SHARED_FILE_TAIL_BYTES 4096

enum shared_file_state {
    SHARED_FILE_FRESH,
    SHARED_FILE_STALE,      /* older than accepted */
    SHARED_FILE_AHEAD,      /* so far in the future that it says nothing about now */
    SHARED_FILE_NO_LINE,    /* readable, without a timestamp near its end */
    SHARED_FILE_UNREADABLE, /* see error */
};

struct shared_file {
    enum shared_file_state state;
    int error;                            /* SHARED_FILE_UNREADABLE: errno */
    char timestamp[CLOCK_TIMESTAMP_SIZE]; /* FRESH, STALE and AHEAD: the line; else empty */
    int64_t age_ms;                       /* FRESH, STALE and AHEAD; negative: in the future */
};

/* Finds the last timestamp line of `text`, which is the end of the file, or all of it if `whole`.
 * Returns 0 with the timestamp copied to `out` and its time in *realtime_ms, or -1 if there is
 * none. */
MUST_CHECK int shared_file_find_last(const char *text, size_t length, bool whole,
                                     char out[CLOCK_TIMESTAMP_SIZE], int64_t *realtime_ms);

/* Opens, reads and judges the file. Fresh is what is at most `stale_after_ms` away from `now_ms`
 * (realtime), in either direction. */
void shared_file_read(const char *path, int64_t now_ms, int64_t stale_after_ms,
                      struct shared_file *file);

/* Says in words what is wrong with a file that is not fresh, for example
 * "cannot read /x: No such file or directory" or "stale: 42 s old"; "fresh" if nothing is. */
void shared_file_describe(const struct shared_file *file, const char *path, char *out, size_t size);

#endif
