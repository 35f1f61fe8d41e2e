#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int read_file(const char *path, char out[PASSWORD_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, out, PASSWORD_SIZE);
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
