#include "http/connections.h"

#include "clock.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

/* How many of the oldest are looked at for one that is idle; more would make accepting slow when
 * all are busy. */
#define EVICTION_SCAN 32

#define SWEEP_INTERVAL_MS 1000

/* In a list ordered by since_ms, oldest first. */
struct http_connection {
    struct http_connection *previous, *next;
    int fd;
    bool busy;        /* a request has begun and is not answered */
    bool shut_down;   /* the library will notice and close it */
    int64_t since_ms; /* accepted, or a request completed */
};

struct http_connections {
    struct http_connection list; /* its next is the oldest, its previous the newest */
    unsigned count;
    unsigned maximum;
    int64_t overdue_ms;
    int64_t next_sweep_ms;
};

struct http_connections *http_connections_create(unsigned maximum, int64_t overdue_ms)
{
    struct http_connections *connections = calloc(1, sizeof *connections);
    if (connections == NULL)
        return NULL;
    connections->list.next = connections->list.previous = &connections->list;
    connections->maximum = maximum;
    connections->overdue_ms = overdue_ms;
    return connections;
}

static void unlink_entry(struct http_connection *entry)
{
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
}

static void append_entry(struct http_connections *connections, struct http_connection *entry,
                         int64_t now_ms)
{
    entry->since_ms = now_ms;
    entry->previous = connections->list.previous;
    entry->next = &connections->list;
    entry->previous->next = entry;
    connections->list.previous = entry;
}

void http_connections_destroy(struct http_connections *connections)
{
    if (connections == NULL)
        return;
    while (connections->list.next != &connections->list) {
        struct http_connection *entry = connections->list.next;
        unlink_entry(entry);
        free(entry);
    }
    free(connections);
}

unsigned http_connections_library_limit(const struct http_connections *connections)
{
    return connections->maximum + HTTP_CONNECTIONS_RESERVE;
}

unsigned http_connections_maximum(const struct http_connections *connections)
{
    return connections->maximum;
}

unsigned http_connections_count(const struct http_connections *connections)
{
    return connections->count;
}

/* The library sees the end of the stream, closes the connection and says so. */
static void shut_down(struct http_connection *entry)
{
    if (entry->shut_down)
        return;
    entry->shut_down = true;
    shutdown(entry->fd, SHUT_RDWR);
}

static void evict_one(struct http_connections *connections)
{
    struct http_connection *entry = connections->list.next;
    for (int i = 0; i < EVICTION_SCAN && entry != &connections->list; i++, entry = entry->next)
        if (!entry->busy && !entry->shut_down) {
            shut_down(entry);
            return;
        }
}

void http_connections_notify(void *context, struct MHD_Connection *connection, void **slot,
                             enum MHD_ConnectionNotificationCode code)
{
    struct http_connections *connections = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct http_connection *entry = calloc(1, sizeof *entry);
        *slot = entry;
        connections->count++;
        if (entry == NULL || info == NULL) {
            /* Only the library's own timeout guards this one. */
            free(entry);
            *slot = NULL;
            return;
        }
        entry->fd = info->connect_fd;
        append_entry(connections, entry, clock_monotonic_ms());
        if (connections->count > connections->maximum)
            evict_one(connections);
        return;
    }
    connections->count--;
    struct http_connection *entry = *slot;
    if (entry != NULL) {
        unlink_entry(entry);
        free(entry);
        *slot = NULL;
    }
}

struct http_connection *http_connections_begin_request(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_connection *entry = info == NULL ? NULL : info->socket_context;
    if (entry != NULL)
        entry->busy = true;
    return entry;
}

void http_connections_end_request(struct http_connections *connections,
                                  struct http_connection *entry, int64_t now_ms)
{
    if (entry == NULL)
        return;
    entry->busy = false;
    unlink_entry(entry);
    append_entry(connections, entry, now_ms);
}

int64_t http_connections_sweep(struct http_connections *connections, int64_t now_ms)
{
    if (connections->count == 0)
        return INT64_MAX;
    if (now_ms < connections->next_sweep_ms)
        return connections->next_sweep_ms;
    connections->next_sweep_ms = now_ms + SWEEP_INTERVAL_MS;
    for (struct http_connection *entry = connections->list.next; entry != &connections->list;
         entry = entry->next) {
        if (now_ms - entry->since_ms < connections->overdue_ms)
            break;
        shut_down(entry);
    }
    return connections->next_sweep_ms;
}
