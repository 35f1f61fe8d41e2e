#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_kind(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -1;
    if (S_ISREG(status.st_mode))
        return 0;
    errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    return -1;
}

int regular_file_open(const char *path)
{
    /* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd >= 0 && check_kind(fd) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}
