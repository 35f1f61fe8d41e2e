#include "resolver.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* One lookup, shared by the loop and the thread; the last of the two to let go frees it. */
struct lookup {
    atomic_int holders;
    int done_fd; /* an eventfd: written once, when the fields below are final */
    char *host;
    char addresses[RESOLVER_ADDRESSES_MAX * (INET6_ADDRSTRLEN + 1)];
    int count;
    const char *error;
};

struct resolver {
    struct event_loop *loop;
    resolver_callback *callback;
    void *context;
    struct lookup *lookup; /* NULL: none under way */
};

static void release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->holders, 1) != 1)
        return;
    close(lookup->done_fd);
    free(lookup->host);
    free(lookup);
}

static void append_address(struct lookup *lookup, const struct addrinfo *info)
{
    char text[NI_MAXHOST];
    size_t used = strlen(lookup->addresses);

    /* Addresses with a zone are of use on one link only, and not everywhere understood. */
    if (getnameinfo(info->ai_addr, info->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) !=
            0 ||
        strchr(text, '%') != NULL)
        return;
    if (strlen(text) + 2 > sizeof lookup->addresses - used)
        return;
    snprintf(lookup->addresses + used, sizeof lookup->addresses - used, "%s%s",
             lookup->count > 0 ? "," : "", text);
    lookup->count++;
}

static void *run_lookup(void *argument)
{
    struct lookup *lookup = argument;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    uint64_t one = 1;

    int code = getaddrinfo(lookup->host, NULL, &hints, &list);
    if (code == 0) {
        for (struct addrinfo *info = list; info != NULL; info = info->ai_next)
            if (lookup->count < RESOLVER_ADDRESSES_MAX)
                append_address(lookup, info);
        freeaddrinfo(list);
    }
    if (lookup->count == 0)
        lookup->error = code != 0 ? gai_strerror(code) : "no usable address";
    /* An eventfd whose counter is 0 always takes a 1. */
    if (write(lookup->done_fd, &one, sizeof one) != (ssize_t)sizeof one)
        lookup->error = "cannot report the lookup";
    release(lookup);
    return NULL;
}

static void on_done(void *context, uint32_t events)
{
    struct resolver *resolver = context;
    struct lookup *lookup = resolver->lookup;
    uint64_t value;

    (void)events;
    /* Reading orders what the thread wrote before what is read here. */
    if (read(lookup->done_fd, &value, sizeof value) != (ssize_t)sizeof value)
        return;
    event_loop_forget(resolver->loop, lookup->done_fd);
    resolver->lookup = NULL;
    resolver->callback(resolver->context, lookup->count > 0 ? lookup->addresses : NULL,
                       lookup->count, lookup->error);
    release(lookup);
}

int resolver_create(struct resolver **created, struct event_loop *loop, resolver_callback *callback,
                    void *context)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL)
        return -1;
    resolver->loop = loop;
    resolver->callback = callback;
    resolver->context = context;
    *created = resolver;
    return 0;
}

static void abandon(struct resolver *resolver)
{
    struct lookup *lookup = resolver->lookup;
    resolver->lookup = NULL;
    event_loop_forget(resolver->loop, lookup->done_fd);
    release(lookup);
}

void resolver_destroy(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    if (resolver->lookup != NULL)
        abandon(resolver);
    free(resolver);
}

static struct lookup *new_lookup(const char *host)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    lookup->host = strdup(host);
    lookup->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (lookup->host == NULL || lookup->done_fd < 0) {
        if (lookup->done_fd >= 0)
            close(lookup->done_fd);
        free(lookup->host);
        free(lookup);
        return NULL;
    }
    atomic_init(&lookup->holders, 1);
    return lookup;
}

/* The resolver's needs are modest; the default of 8 MiB would count against a container. */
static int start_detached(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;

    int code = pthread_attr_init(&attributes);
    if (code != 0)
        return code;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    atomic_fetch_add(&lookup->holders, 1);
    code = pthread_create(&thread, &attributes, run_lookup, lookup);
    if (code != 0)
        release(lookup);
    pthread_attr_destroy(&attributes);
    return code;
}

int resolver_lookup(struct resolver *resolver, const char *host)
{
    if (resolver->lookup != NULL)
        return 0;
    struct lookup *lookup = new_lookup(host);
    if (lookup == NULL)
        return -1;
    resolver->lookup = lookup;
    if (event_loop_watch(resolver->loop, lookup->done_fd, EPOLLIN, on_done, resolver) != 0) {
        abandon(resolver);
        return -1;
    }
    int code = start_detached(lookup);
    if (code != 0) {
        abandon(resolver);
        errno = code;
        return -1;
    }
    return 0;
}
