#include "http/listen.h"

#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

/* Of each connection, in the kernel, which doubles it. A client that asks for answers and takes
 * none has so many made for it and no more; by itself the kernel would keep megabytes. */
#define SEND_BUFFER_BYTES (64 * 1024)

union address {
    struct sockaddr generic;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* A client that has gone without a word is found within two minutes. Connections that are accepted
 * take these from the listening socket. */
static int set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES},
                   {SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, 60},
                   {IPPROTO_TCP, TCP_KEEPINTVL, 15},
                   {IPPROTO_TCP, TCP_KEEPCNT, 4}};

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)) != 0)
            return -1;
    return 0;
}

static int open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, off = 0;

    if (fd < 0)
        return -1;
    /* Without it a restart fails while old connections are in TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || set_options(fd) != 0 ||
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int bind_any(int fd, int family, uint16_t port)
{
    union address address;
    socklen_t size;

    memset(&address, 0, sizeof address);
    if (family == AF_INET6) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_addr = in6addr_any;
        address.v6.sin6_port = htons(port);
        size = sizeof address.v6;
    } else {
        address.v4.sin_family = AF_INET;
        address.v4.sin_addr.s_addr = htonl(INADDR_ANY);
        address.v4.sin_port = htons(port);
        size = sizeof address.v4;
    }
    return bind(fd, &address.generic, size);
}

static uint16_t bound_port(int fd)
{
    union address address;
    socklen_t size = sizeof address;

    memset(&address, 0, sizeof address);
    if (getsockname(fd, &address.generic, &size) != 0)
        return 0;
    return ntohs(address.generic.sa_family == AF_INET6 ? address.v6.sin6_port
                                                       : address.v4.sin_port);
}

static int listen_on(int family, uint16_t port)
{
    int fd = open_socket(family);
    if (fd < 0)
        return -1;
    if (bind_any(fd, family, port) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int http_listen(uint16_t port)
{
    int fd = listen_on(AF_INET6, port);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        fd = listen_on(AF_INET, port);
    if (fd < 0) {
        log_error(errno == EADDRINUSE ? "port is taken by another program" : "cannot listen",
                  LOG_FIELDS(log_string("setting", "PORT"), log_integer("port", port),
                             log_string("error", strerror(errno))));
        return -1;
    }
    log_info("listening", LOG_FIELDS(log_integer("port", bound_port(fd))));
    return fd;
}
