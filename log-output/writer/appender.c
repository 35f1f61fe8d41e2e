#include "appender.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0644

/* Beside the file, under a name of its own, so that one left over is recognised. */
#define TEMPORARY_SUFFIX ".new"

struct appender {
    const char *path;
    char *temporary_path;
    size_t max_bytes;
    char *kept; /* max_bytes: room for the lines kept of a file, and the new one */
};

struct appender *appender_create(const char *path, size_t max_bytes)
{
    size_t size = strlen(path) + sizeof TEMPORARY_SUFFIX;
    struct appender *appender = calloc(1, sizeof *appender);
    if (appender == NULL)
        return NULL;
    appender->path = path;
    appender->max_bytes = max_bytes;
    appender->temporary_path = malloc(size);
    appender->kept = malloc(max_bytes);
    if (appender->temporary_path == NULL || appender->kept == NULL) {
        appender_destroy(appender);
        return NULL;
    }
    snprintf(appender->temporary_path, size, "%s" TEMPORARY_SUFFIX, path);
    unlink(appender->temporary_path);
    return appender;
}

void appender_destroy(struct appender *appender)
{
    if (appender == NULL)
        return;
    free(appender->kept);
    free(appender->temporary_path);
    free(appender);
}

/* A write that is cut short means that the disk has no more room, or that a limit is reached. */
static int write_whole(int fd, const char *text, size_t length)
{
    ssize_t written = write(fd, text, length);
    if (written >= 0 && (size_t)written < length)
        errno = ENOSPC;
    return written == (ssize_t)length ? 0 : -1;
}

/* A piece of a line of ours, not all of one. */
static bool is_torn(const char *text, size_t length)
{
    int64_t ignored_ms;

    if (length > CLOCK_TIMESTAMP_LENGTH || clock_parse_timestamp(text, length, &ignored_ms) == 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if (memchr("0123456789-T:.Z", text[i], 15) == NULL)
            return false;
    return true;
}

/* How many bytes of the text to keep so that a line may follow: all of it, unless it ends in a
 * piece of a line that was torn. *newline is set if what is kept does not end in one. */
static size_t mend(const char *text, size_t length, bool *newline)
{
    const char *last = memrchr(text, '\n', length);
    size_t rest = last == NULL ? length : length - (size_t)(last + 1 - text);

    if (is_torn(text + length - rest, rest)) {
        *newline = false;
        return length - rest;
    }
    *newline = rest > 0;
    return length;
}

/* Reads up to `room` bytes of the file's end. Returns their number, or -1 with errno. */
static ssize_t read_end(int fd, off_t size, char *text, size_t room)
{
    off_t start = size > (off_t)room ? size - (off_t)room : 0;
    return pread(fd, text, (size_t)(size - start), start);
}

/* Appends to a file of `size` bytes, in one write. */
static int append_line(int fd, off_t size, const char *line)
{
    char tail[CLOCK_TIMESTAMP_SIZE + 1], text[256];
    bool newline;

    ssize_t tail_length = read_end(fd, size, tail, sizeof tail);
    if (tail_length < 0)
        return -1;
    off_t end = size - (tail_length - (ssize_t)mend(tail, (size_t)tail_length, &newline));
    if (end != size && ftruncate(fd, end) != 0)
        return -1;
    int length = snprintf(text, sizeof text, "%s%s\n", newline ? "\n" : "", line);
    if (length >= (int)sizeof text) {
        errno = EMSGSIZE;
        return -1;
    }
    if (write_whole(fd, text, (size_t)length) == 0)
        return 0;
    int reason = errno;
    /* If this fails too, the torn piece stays, readers pass over it, and the next call mends it. */
    int undone = ftruncate(fd, end);
    (void)undone;
    errno = reason;
    return -1;
}

/* Fills `kept` with the last lines that fit in half of the limit, and the new one. Returns the
 * length, or -1 with errno. */
static ssize_t collect_last_lines(struct appender *appender, int fd, off_t size, const char *line)
{
    char *kept = appender->kept;
    bool newline;

    size_t addition = strlen(line) + 2;
    ssize_t got = read_end(fd, size, kept, appender->max_bytes / 2 - addition);
    if (got < 0)
        return -1;
    size_t length = mend(kept, (size_t)got, &newline);
    if (got < size) {
        /* What precedes the first newline is the end of a line. */
        const char *first = memchr(kept, '\n', length);
        size_t cut = first == NULL ? length : (size_t)(first + 1 - kept);
        length -= cut;
        newline = newline && length > 0;
        memmove(kept, kept + cut, length);
    }
    int added = sprintf(kept + length, "%s%s\n", newline ? "\n" : "", line);
    return (ssize_t)length + added;
}

static int replace_file(struct appender *appender, size_t length)
{
    int fd = open(appender->temporary_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  FILE_MODE);
    if (fd < 0)
        return -1;
    int result = write_whole(fd, appender->kept, length);
    int reason = errno;
    if (close(fd) != 0 && result == 0) {
        result = -1;
        reason = errno;
    }
    if (result == 0 && rename(appender->temporary_path, appender->path) == 0)
        return 0;
    if (result == 0)
        reason = errno;
    unlink(appender->temporary_path);
    errno = reason;
    return -1;
}

static int append_to(struct appender *appender, int fd, const char *line)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -1;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    /* Two more: a newline that the last line may lack, and the line's own. */
    if ((size_t)status.st_size + strlen(line) + 2 <= appender->max_bytes)
        return append_line(fd, status.st_size, line);
    ssize_t length = collect_last_lines(appender, fd, status.st_size, line);
    return length < 0 ? -1 : replace_file(appender, (size_t)length);
}

/* The file appears with its first line in it. */
static int make_file(struct appender *appender, const char *line)
{
    int length = snprintf(appender->kept, appender->max_bytes, "%s\n", line);
    return replace_file(appender, (size_t)length);
}

int appender_append(struct appender *appender, const char *line)
{
    /* O_NONBLOCK: opening a FIFO does not wait for someone to read it. */
    int fd = open(appender->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? make_file(appender, line) : -1;
    int result = append_to(appender, fd, line);
    int reason = errno;
    close(fd);
    errno = reason;
    return result;
}
