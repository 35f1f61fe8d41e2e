#include "shared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int take_timestamp(const char *text, size_t length, char out[CLOCK_TIMESTAMP_SIZE],
                          int64_t *realtime_ms)
{
    if (clock_parse_timestamp(text, length, realtime_ms) != 0)
        return -1;
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

int shared_file_find_last(const char *text, size_t length, bool whole,
                          char out[CLOCK_TIMESTAMP_SIZE], int64_t *realtime_ms)
{
    const char *newline = memrchr(text, '\n', length);

    /* Where the text is cut out of a larger one, what precedes its first newline is no line. */
    while (newline != NULL) {
        const char *before = memrchr(text, '\n', (size_t)(newline - text));
        const char *start = before == NULL ? text : before + 1;
        if ((before != NULL || whole) &&
            take_timestamp(start, (size_t)(newline - start), out, realtime_ms) == 0)
            return 0;
        newline = before;
    }
    return whole ? take_timestamp(text, length, out, realtime_ms) : -1;
}

/* Returns the length of the tail, and whether it is the whole file, or -1 with errno. */
static ssize_t read_tail(const char *path, char *tail, bool *whole)
{
    struct stat status;
    ssize_t length = -1;

    /* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0) {
        off_t start =
            status.st_size > SHARED_FILE_TAIL_BYTES ? status.st_size - SHARED_FILE_TAIL_BYTES : 0;
        *whole = start == 0;
        length = pread(fd, tail, SHARED_FILE_TAIL_BYTES, start);
    }
    int reason = errno;
    close(fd);
    errno = reason;
    return length;
}

void shared_file_read(const char *path, int64_t now_ms, int64_t stale_after_ms,
                      struct shared_file *file)
{
    char tail[SHARED_FILE_TAIL_BYTES];
    bool whole;
    int64_t written_ms;

    *file = (struct shared_file){.state = SHARED_FILE_NO_LINE};
    ssize_t length = read_tail(path, tail, &whole);
    if (length < 0) {
        file->state = SHARED_FILE_UNREADABLE;
        file->error = errno;
        return;
    }
    if (shared_file_find_last(tail, (size_t)length, whole, file->timestamp, &written_ms) != 0)
        return;
    file->age_ms = now_ms - written_ms;
    if (file->age_ms > stale_after_ms)
        file->state = SHARED_FILE_STALE;
    else if (file->age_ms < -stale_after_ms)
        file->state = SHARED_FILE_AHEAD;
    else
        file->state = SHARED_FILE_FRESH;
}

void shared_file_describe(const struct shared_file *file, const char *path, char *out, size_t size)
{
    long long age_s = (long long)file->age_ms / 1000;

    switch (file->state) {
    case SHARED_FILE_FRESH:
        snprintf(out, size, "fresh");
        break;
    case SHARED_FILE_STALE:
        snprintf(out, size, "stale: %lld s old", age_s);
        break;
    case SHARED_FILE_AHEAD:
        snprintf(out, size, "not fresh: %lld s in the future", -age_s);
        break;
    case SHARED_FILE_NO_LINE:
        snprintf(out, size, "%s has no timestamp line", path);
        break;
    case SHARED_FILE_UNREADABLE:
        snprintf(out, size, "cannot read %s: %s", path, strerror(file->error));
        break;
    }
}
