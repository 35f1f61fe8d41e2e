#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* read() of a regular file alone; any other may wait, or have another end that does. */
static ssize_t read_regular(int fd, char out[PASSWORD_SIZE])
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -1;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    return read(fd, out, PASSWORD_SIZE);
}

static int read_file(const char *path, char out[PASSWORD_SIZE])
{
    /* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    ssize_t length = read_regular(fd, out);
    int reason = errno;
    close(fd);
    if (length < 0 || length == PASSWORD_SIZE) {
        out[0] = '\0';
        errno = length < 0 ? reason : EFBIG;
        return -1;
    }
    out[length] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return 0;
}

int password_read(const char *value, const char *file, char out[PASSWORD_SIZE])
{
    if (file != NULL)
        return read_file(file, out);
    size_t length = value == NULL ? 0 : strlen(value);
    if (length >= PASSWORD_SIZE) {
        errno = EFBIG;
        return -1;
    }
    memcpy(out, value == NULL ? "" : value, length);
    out[length] = '\0';
    return 0;
}
