#include "http/connections.h"

#include "clock.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* An answer is on its way for at least as long before its connection is pushed out for not taking
 * it: the library sends in the same run in which it gets the answer. */
#define WITHHOLDING_MIN_MS 1000

#define SWEEP_INTERVAL_MS 250

/* Between two looks at what is not read the library has run; seen so many times in a row, no bytes
 * have come since it ran last, and nothing is only late. */
#define STUCK_INTERVAL_MS 50
#define STUCK_LOOKS 4

/* When a connection on which the client has to act is looked at, to see whether a head has begun
 * and whether the client is still there; then each time that it has been open, or without a
 * request, for a quarter longer. */
#define FIRST_LOOK_MS 200
#define LOOK_INTERVAL_MIN_MS 900
#define LOOK_INTERVAL_SHARE 4

/* Balancers and browsers open connections ahead of a first request, and keep them for up to a
 * minute. */
#define FIRST_IDLE_MAX_MS 60000

/* A connection's state after its client's end: TCP_CLOSE_WAIT of <netinet/tcp.h>, which cannot be
 * included beside <linux/tcp.h>. */
#define STATE_CLOSE_WAIT 8

/* A client that sends all the time is asked about in vain. */
#define READING_TRIES 16

/* Empty lines before a request are no part of it. */
#define EMPTY_LINES_BYTES 4

struct http_connections {
    struct http_connection idle; /* its next is the oldest, its previous the newest */
    struct http_connection busy; /* the same */
    struct http_connections_options options;
    unsigned count;
    int64_t next_sweep_ms;
    int64_t next_stuck_sweep_ms;
};

struct http_connections *http_connections_create(const struct http_connections_options *options)
{
    struct http_connections *connections = calloc(1, sizeof *connections);
    if (connections == NULL)
        return NULL;
    connections->idle.next = connections->idle.previous = &connections->idle;
    connections->busy.next = connections->busy.previous = &connections->busy;
    connections->options = *options;
    return connections;
}

static void unlink_entry(struct http_connection *entry)
{
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
}

static void append_entry(struct http_connection *list, struct http_connection *entry)
{
    entry->previous = list->previous;
    entry->next = list;
    entry->previous->next = entry;
    list->previous = entry;
}

static void free_list(struct http_connection *list)
{
    while (list->next != list) {
        struct http_connection *entry = list->next;
        unlink_entry(entry);
        free(entry);
    }
}

void http_connections_destroy(struct http_connections *connections)
{
    if (connections == NULL)
        return;
    free_list(&connections->idle);
    free_list(&connections->busy);
    free(connections);
}

unsigned http_connections_library_limit(const struct http_connections *connections)
{
    return connections->options.maximum + HTTP_CONNECTIONS_RESERVE;
}

unsigned http_connections_maximum(const struct http_connections *connections)
{
    return connections->options.maximum;
}

unsigned http_connections_count(const struct http_connections *connections)
{
    return connections->count;
}

/* The library is told of it (EPOLLHUP), and closes the connection. */
static void shut_down(struct http_connection *entry)
{
    if (entry->shut_down)
        return;
    entry->shut_down = true;
    /* Where it does not look at it, its own timeout has to end it. */
    MHD_set_connection_option(entry->library, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
    shutdown(entry->fd, SHUT_RDWR);
}

static bool withholds(const struct http_connection *entry, int64_t now_ms, int64_t silent_ms)
{
    if (entry->shut_down)
        return false;
    if (!entry->busy)
        return now_ms - entry->since_ms >= silent_ms;
    return entry->sending_ms != 0 && now_ms - entry->sending_ms >= WITHHOLDING_MIN_MS;
}

static bool evict_from(struct http_connection *list, int64_t now_ms, int64_t silent_ms)
{
    for (struct http_connection *entry = list->next; entry != list; entry = entry->next)
        if (withholds(entry, now_ms, silent_ms)) {
            shut_down(entry);
            return true;
        }
    return false;
}

static void evict_one(struct http_connections *connections, int64_t now_ms, int64_t silent_ms)
{
    if (!evict_from(&connections->idle, now_ms, silent_ms))
        (void)evict_from(&connections->busy, now_ms, silent_ms);
}

static void begin(struct http_connections *connections, struct MHD_Connection *connection,
                  void **slot)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_connection *entry = info == NULL ? NULL : calloc(1, sizeof *entry);

    *slot = entry;
    connections->count++;
    if (entry == NULL)
        return;
    entry->fd = info->connect_fd;
    entry->library = connection;
    entry->since_ms = clock_monotonic_ms();
    entry->look_ms = entry->since_ms + FIRST_LOOK_MS;
    /* Not itself: whoever comes last is to be served. */
    if (connections->count > connections->options.maximum)
        evict_one(connections, entry->since_ms, 0);
    append_entry(&connections->idle, entry);
}

void http_connections_notify(void *context, struct MHD_Connection *connection, void **slot,
                             enum MHD_ConnectionNotificationCode code)
{
    struct http_connections *connections = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        begin(connections, connection, slot);
        return;
    }
    connections->count--;
    struct http_connection *entry = *slot;
    if (entry == NULL)
        return;
    *slot = NULL;
    connections->options.on_ended(connections->options.context, entry);
    unlink_entry(entry);
    free(entry);
}

struct http_connection *http_connections_find(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

void http_connections_each_idle(struct http_connections *connections,
                                bool (*visit)(void *context, struct http_connection *connection),
                                void *context)
{
    struct http_connection *entry = connections->idle.previous;
    while (entry != &connections->idle && visit(context, entry))
        entry = entry->previous;
}

/* How much has come and how much of it is unread, at one moment: what comes between the questions
 * would count as taken. */
static int read_tcp(int fd, struct tcp_info *info, int *unread)
{
    socklen_t size = sizeof *info;
    int before = -1;

    *unread = 0;
    for (int i = 0; i < READING_TRIES && *unread != before; i++)
        if (ioctl(fd, FIONREAD, &before) != 0 ||
            getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) != 0 ||
            ioctl(fd, FIONREAD, unread) != 0)
            return -1;
    return 0;
}

int http_connection_read_reading(const struct http_connection *entry,
                                 struct http_connection_reading *reading)
{
    struct tcp_info info = {0};
    int unread = 0;

    if (read_tcp(entry->fd, &info, &unread) != 0)
        return -1;
    reading->taken_bytes = (uint64_t)info.tcpi_bytes_received - (uint64_t)unread;
    reading->silent_ms = info.tcpi_last_data_recv;
    reading->is_all = info.tcpi_state == STATE_CLOSE_WAIT && unread == 0;
    reading->is_answered = info.tcpi_bytes_sent > 0;
    return 0;
}

bool http_connection_has_begun_head(const struct http_connection *entry,
                                    const struct http_connection_reading *reading)
{
    return reading->taken_bytes > entry->earlier_bytes + EMPTY_LINES_BYTES;
}

void http_connections_receive(struct http_connection *entry, int64_t now_ms)
{
    entry->receiving_ms = now_ms;
    entry->partial_ms = 0;
    entry->stuck_looks = 0;
}

void http_connections_hold(struct http_connections *connections, struct http_connection *entry)
{
    entry->busy = true;
    entry->receiving_ms = 0;
    unlink_entry(entry);
    append_entry(&connections->busy, entry);
}

void http_connections_send(struct http_connections *connections, struct http_connection *entry,
                           int64_t now_ms)
{
    if (!entry->busy)
        http_connections_hold(connections, entry);
    entry->sending_ms = now_ms;
}

void http_connections_end_request(struct http_connections *connections,
                                  struct http_connection *entry, int64_t now_ms)
{
    entry->busy = false;
    entry->used = true;
    entry->receiving_ms = entry->sending_ms = 0;
    entry->since_ms = now_ms;
    entry->look_ms = now_ms + FIRST_LOOK_MS;
    unlink_entry(entry);
    append_entry(&connections->idle, entry);
}

static bool is_over(int64_t since_ms, int64_t allowed_ms, int64_t now_ms)
{
    return since_ms != 0 && now_ms - since_ms >= allowed_ms;
}

/* No longer than a head that has begun may take. */
static int64_t look_interval_ms(const struct http_connection *entry, int64_t request_ms,
                                int64_t now_ms)
{
    int64_t interval_ms = (now_ms - entry->since_ms) / LOOK_INTERVAL_SHARE;

    if (interval_ms > request_ms)
        interval_ms = request_ms;
    return interval_ms > LOOK_INTERVAL_MIN_MS ? interval_ms : LOOK_INTERVAL_MIN_MS;
}

/* Returns whether the client has gone: the library misses that if it reads the last bytes together
 * with the end (0.9). */
static bool look(struct http_connection *entry, int64_t request_ms, int64_t now_ms)
{
    struct http_connection_reading reading;

    if (now_ms < entry->look_ms)
        return false;
    entry->look_ms = now_ms + look_interval_ms(entry, request_ms, now_ms);
    if (http_connection_read_reading(entry, &reading) != 0)
        return false;
    if (entry->partial_ms == 0 && http_connection_has_begun_head(entry, &reading))
        entry->partial_ms = now_ms;
    return reading.is_all;
}

static bool has_to_end(const struct http_connections_options *options,
                       struct http_connection *entry, int64_t now_ms)
{
    int64_t idle_ms = options->idle_timeout_ms, request_ms = options->request_timeout_ms;

    if (entry->busy)
        return is_over(entry->sending_ms, request_ms, now_ms);
    if (look(entry, request_ms, now_ms))
        return true;
    if (!entry->used && idle_ms > FIRST_IDLE_MAX_MS)
        idle_ms = FIRST_IDLE_MAX_MS;
    return is_over(entry->receiving_ms, request_ms, now_ms) ||
           is_over(entry->partial_ms, request_ms, now_ms) ||
           is_over(entry->since_ms, idle_ms + request_ms, now_ms);
}

static void sweep_list(struct http_connections *connections, struct http_connection *list,
                       int64_t now_ms)
{
    for (struct http_connection *entry = list->next; entry != list; entry = entry->next)
        if (!entry->shut_down && has_to_end(&connections->options, entry, now_ms))
            shut_down(entry);
}

int64_t http_connections_sweep(struct http_connections *connections, int64_t now_ms)
{
    if (connections->count == 0)
        return INT64_MAX;
    if (now_ms < connections->next_sweep_ms)
        return connections->next_sweep_ms;
    connections->next_sweep_ms = now_ms + SWEEP_INTERVAL_MS;
    /* Where nobody withheld anything when one came too many. */
    for (unsigned i = connections->options.maximum; i < connections->count; i++)
        evict_one(connections, now_ms, WITHHOLDING_MIN_MS);
    sweep_list(connections, &connections->idle, now_ms);
    sweep_list(connections, &connections->busy, now_ms);
    http_connections_sweep_stuck(connections, now_ms);
    return connections->next_sweep_ms;
}

static bool has_unread_bytes(const struct http_connection *entry)
{
    int unread = 0;
    return ioctl(entry->fd, FIONREAD, &unread) == 0 && unread > 0;
}

static bool is_stuck(struct http_connection *entry)
{
    struct http_connection_reading reading;

    if (entry->receiving_ms == 0 || !has_unread_bytes(entry) ||
        http_connection_read_reading(entry, &reading) != 0) {
        entry->stuck_looks = 0;
        return false;
    }
    if (entry->stuck_bytes != reading.taken_bytes)
        entry->stuck_looks = 0;
    entry->stuck_bytes = reading.taken_bytes;
    return ++entry->stuck_looks >= STUCK_LOOKS;
}

static bool end_if_stuck(void *context, struct http_connection *entry)
{
    const struct http_connections_options *options = context;

    if (!entry->shut_down && is_stuck(entry)) {
        options->on_stuck(options->context, entry);
        shut_down(entry);
    }
    return true;
}

void http_connections_sweep_stuck(struct http_connections *connections, int64_t now_ms)
{
    if (now_ms < connections->next_stuck_sweep_ms)
        return;
    connections->next_stuck_sweep_ms = now_ms + STUCK_INTERVAL_MS;
    http_connections_each_idle(connections, end_if_stuck, &connections->options);
}
