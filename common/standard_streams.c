#include "standard_streams.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* open() takes the lowest number that is free, so each is filled in turn. */
static void fill_closed(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd >= 0)
        close(fd);
}

static void stop_blocking_on_error_output(void)
{
    struct stat status;

    if (fstat(STDERR_FILENO, &status) != 0 ||
        (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)))
        return;
    int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0)
        return;
    dup2(own, STDERR_FILENO);
    close(own);
}

void standard_streams_prepare(void)
{
    fill_closed();
    signal(SIGPIPE, SIG_IGN);
    stop_blocking_on_error_output();
}
