/* floor.c - the least that libmicrohttpd asks for a request.
 *
 * Every GET is answered with the same bytes, as long as a ping's answer, from
 * the same kind of loop and with the same settings as pingpong: one thread,
 * epoll driven from outside, MHD_run() only, as much memory per connection,
 * at most 4096 connections, the same headers. What pingpong costs above this
 * is what counting costs.
 *
 * usage: floor PORT | floor --version
 */
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 4096,
    CONNECTION_MEMORY_BYTES = 15360,
    IDLE_TIMEOUT_S = 30,
    LISTEN_BACKLOG = 4096,
    WAIT_MAX_MS = 250,
};

#if MHD_VERSION < 0x00097002
typedef int handler_result;
#else
typedef enum MHD_Result handler_result;
#endif

static volatile sig_atomic_t stop_requested;

static void on_stop(int signo)
{
    (void)signo;
    stop_requested = 1;
}

/* Answers in the second call, as pingpong does: the library closes the connection of a request that
 * is answered in the first one, when it might still have a body. */
static handler_result answer(void *cls, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_size, void **context)
{
    static char seen;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (*context == NULL) {
        *context = &seen;
        return MHD_YES;
    }
    if (*upload_size != 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, cls);
}

/* A count of seven digits: what pingpong's own answers have during a run. */
static struct MHD_Response *make_response(void)
{
    static char body[] = "{\"pong\":1234567}";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return NULL;
    }
    if (MHD_add_response_header(response, "Content-Type", "application/json") == MHD_NO ||
        MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_NO) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

static struct MHD_Daemon *start_daemon(uint16_t port, struct MHD_Response *response)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO;
#if MHD_VERSION >= 0x01000001
    flags |= MHD_USE_NO_THREAD_SAFETY;
#endif
    return MHD_start_daemon(flags, port, NULL, NULL, answer, response, MHD_OPTION_SOCK_ADDR,
                            (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_LISTEN_BACKLOG_SIZE,
                            (unsigned)LISTEN_BACKLOG, MHD_OPTION_END);
}

/* How long the loop may sleep: 0 when the library has work it holds back. */
static int wait_ms(struct MHD_Daemon *mhd)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    if (MHD_get_timeout(mhd, &timeout_ms) == MHD_YES && timeout_ms < WAIT_MAX_MS) {
        return (int)timeout_ms;
    }
    return WAIT_MAX_MS;
}

static int serve(struct MHD_Daemon *mhd)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    int status = -1;
    if (info == NULL || epoll_fd < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event) != 0) {
        goto out;
    }
    while (!stop_requested) {
        if (epoll_wait(epoll_fd, &event, 1, wait_ms(mhd)) < 0 && errno != EINTR) {
            goto out;
        }
        MHD_run(mhd);
    }
    status = 0;
out:
    if (epoll_fd >= 0) {
        close(epoll_fd);
    }
    return status;
}

static bool parse_port(const char *text, uint16_t *port)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("libmicrohttpd %s\n", MHD_get_version());
        return EXIT_SUCCESS;
    }
    if (argc != 2 || !parse_port(argv[1], &port)) {
        fprintf(stderr, "usage: %s PORT | --version\n", argv[0]);
        return 2;
    }
    struct sigaction action = {.sa_handler = on_stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct MHD_Response *response = make_response();
    if (response == NULL) {
        fputs("floor: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    int status = -1;
    struct MHD_Daemon *mhd = start_daemon(port, response);
    if (mhd == NULL) {
        fprintf(stderr, "floor: cannot listen on port %u\n", (unsigned)port);
    } else {
        status = serve(mhd);
        MHD_stop_daemon(mhd);
    }
    MHD_destroy_response(response);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
