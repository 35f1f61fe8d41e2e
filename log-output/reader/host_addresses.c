#include "host_addresses.h"

#include "clock.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A Service's address hardly ever changes; one that does is noticed by host_addresses_suspect(). */
#define REFRESH_MS 10000
#define RETRY_MS 1000

#define HOST_SIZE 256

/* Eight IPv6 addresses with their brackets and commas. */
#define ADDRESSES_SIZE 400

/* One lookup, shared by the loop's thread and the one that does it. The last to let go of it frees
 * it. */
struct lookup {
    /* Set before the thread starts, then only read. */
    char host[HOST_SIZE];
    int done_fd;

    pthread_mutex_t mutex; /* guards the rest */
    bool done;
    bool abandoned; /* its owner is gone, done_fd with it */
    int error;      /* of getaddrinfo(), 0: success */
    char addresses[ADDRESSES_SIZE];
};

struct host_addresses {
    struct event_loop *loop;
    const char *name;
    enum host_addresses_state state;
    unsigned generation;
    int done_fd;
    struct lookup *lookup; /* under way, or NULL */
    int64_t started_ms;
    int64_t next_ms;
    char addresses[ADDRESSES_SIZE];
};

static bool is_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* Adds an address to the list; what does not fit is left out. */
static void add_address(const struct addrinfo *info, char *list)
{
    char text[NI_MAXHOST], item[NI_MAXHOST + 4];
    size_t length = strlen(list);

    if (getnameinfo(info->ai_addr, info->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) !=
            0 ||
        strchr(text, '%') != NULL)
        return;
    snprintf(item, sizeof item, info->ai_family == AF_INET6 ? "%s[%s]" : "%s%s",
             length == 0 ? "" : ",", text);
    if (length + strlen(item) < ADDRESSES_SIZE)
        strcpy(list + length, item);
}

static int look_up(const char *host, char *addresses)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;

    addresses[0] = '\0';
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0)
        return error;
    for (const struct addrinfo *info = list; info != NULL; info = info->ai_next)
        add_address(info, addresses);
    freeaddrinfo(list);
    return addresses[0] == '\0' ? EAI_NONAME : 0;
}

static void free_lookup(struct lookup *lookup)
{
    pthread_mutex_destroy(&lookup->mutex);
    free(lookup);
}

static void *run_lookup(void *argument)
{
    struct lookup *lookup = argument;
    char addresses[ADDRESSES_SIZE];
    const uint64_t one = 1;

    int error = look_up(lookup->host, addresses);
    pthread_mutex_lock(&lookup->mutex);
    bool abandoned = lookup->abandoned;
    lookup->done = true;
    lookup->error = error;
    memcpy(lookup->addresses, addresses, sizeof addresses);
    if (!abandoned && write(lookup->done_fd, &one, sizeof one) < 0) {
        /* Its counter cannot overflow by ones: there is no other failure. */
    }
    pthread_mutex_unlock(&lookup->mutex);
    if (abandoned)
        free_lookup(lookup);
    return NULL;
}

static int start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;

    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attributes, run_lookup, lookup);
    pthread_attr_destroy(&attributes);
    return error;
}

static void start_lookup(struct host_addresses *host)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return;
    snprintf(lookup->host, sizeof lookup->host, "%s", host->name);
    lookup->done_fd = host->done_fd;
    pthread_mutex_init(&lookup->mutex, NULL);
    if (start_thread(lookup) == 0)
        host->lookup = lookup;
    else
        free_lookup(lookup);
}

static void note_failure(struct host_addresses *host, int error)
{
    host->next_ms = clock_monotonic_ms() + RETRY_MS;
    if (host->state != HOST_ADDRESSES_PENDING)
        return;
    log_warning(
        "host name cannot be resolved",
        LOG_FIELDS(log_string("host", host->name), log_string("error", gai_strerror(error))));
    host->state = HOST_ADDRESSES_FAILED;
}

static void note_addresses(struct host_addresses *host, const char *addresses)
{
    host->next_ms = clock_monotonic_ms() + REFRESH_MS;
    host->state = HOST_ADDRESSES_RESOLVED;
    if (strcmp(host->addresses, addresses) == 0)
        return;
    snprintf(host->addresses, sizeof host->addresses, "%s", addresses);
    if (++host->generation == 0)
        host->generation = 1;
    log_info("host name resolved",
             LOG_FIELDS(log_string("host", host->name), log_string("addresses", addresses)));
}

static void on_lookup_done(void *context, uint32_t events)
{
    struct host_addresses *host = context;
    struct lookup *lookup = host->lookup;
    uint64_t count;

    (void)events;
    if (read(host->done_fd, &count, sizeof count) < 0 || lookup == NULL)
        return;
    /* The thread holds the mutex until it has let go. */
    pthread_mutex_lock(&lookup->mutex);
    pthread_mutex_unlock(&lookup->mutex);
    host->lookup = NULL;
    if (lookup->error != 0)
        note_failure(host, lookup->error);
    else
        note_addresses(host, lookup->addresses);
    free_lookup(lookup);
}

static int64_t step(void *context, int64_t now_ms)
{
    struct host_addresses *host = context;

    if (host->lookup != NULL)
        return EVENT_LOOP_IDLE;
    if (now_ms < host->next_ms)
        return host->next_ms;
    host->started_ms = now_ms;
    host->next_ms = now_ms + RETRY_MS;
    start_lookup(host);
    return host->lookup != NULL ? EVENT_LOOP_IDLE : host->next_ms;
}

int host_addresses_create(struct host_addresses **created, struct event_loop *loop,
                          const char *name)
{
    struct host_addresses *host = calloc(1, sizeof *host);
    if (host == NULL)
        return -1;
    host->loop = loop;
    host->name = name;
    host->done_fd = -1;
    *created = host;
    if (is_address(name)) {
        host->state = HOST_ADDRESSES_NUMERIC;
        return 0;
    }
    host->state = HOST_ADDRESSES_PENDING;
    host->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (host->done_fd >= 0 &&
        event_loop_watch(loop, host->done_fd, EPOLLIN, on_lookup_done, host) == 0) {
        event_loop_add_step(loop, step, host);
        return 0;
    }
    host_addresses_destroy(host);
    return -1;
}

static void abandon(struct lookup *lookup)
{
    pthread_mutex_lock(&lookup->mutex);
    bool done = lookup->done;
    lookup->abandoned = true;
    pthread_mutex_unlock(&lookup->mutex);
    if (done)
        free_lookup(lookup);
}

void host_addresses_destroy(struct host_addresses *host)
{
    if (host == NULL)
        return;
    if (host->lookup != NULL)
        abandon(host->lookup);
    if (host->done_fd >= 0) {
        event_loop_forget(host->loop, host->done_fd);
        close(host->done_fd);
    }
    free(host);
}

enum host_addresses_state host_addresses_state(const struct host_addresses *host)
{
    return host->state;
}

const char *host_addresses_list(const struct host_addresses *host)
{
    return host->addresses;
}

unsigned host_addresses_generation(const struct host_addresses *host)
{
    return host->generation;
}

void host_addresses_suspect(struct host_addresses *host)
{
    int64_t soon_ms = host->started_ms + RETRY_MS;
    if (host->next_ms > soon_ms)
        host->next_ms = soon_ms;
}
