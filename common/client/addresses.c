#include "client/addresses.h"

#include "clock.h"
#include "log.h"
#include "resolver.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A Service's address hardly ever changes; one that does is noticed by client_addresses_suspect().
 */
#define REFRESH_MS 10000
#define RETRY_MS 1000

/* Eight IPv6 addresses with their brackets and commas. */
#define ADDRESSES_SIZE 400

struct client_addresses {
    const char *name;
    enum client_addresses_state state;
    unsigned generation;
    struct resolver *resolver;
    bool looking; /* a lookup is under way */
    int64_t started_ms;
    int64_t next_ms;
    char addresses[ADDRESSES_SIZE];
};

static bool is_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* libcurl wants IPv6 addresses in brackets. */
static void write_list(const char *addresses, char out[ADDRESSES_SIZE])
{
    size_t used = 0;

    out[0] = '\0';
    while (*addresses != '\0') {
        int length = (int)strcspn(addresses, ",");
        bool v6 = memchr(addresses, ':', (size_t)length) != NULL;
        int added = snprintf(out + used, ADDRESSES_SIZE - used, v6 ? "%s[%.*s]" : "%s%.*s",
                             used > 0 ? "," : "", length, addresses);
        if (added >= (int)(ADDRESSES_SIZE - used)) {
            out[used] = '\0';
            return;
        }
        used += (size_t)added;
        addresses += length;
        addresses += *addresses == ',';
    }
}

static void note_failure(struct client_addresses *host, const char *error)
{
    host->next_ms = clock_monotonic_ms() + RETRY_MS;
    if (host->state != CLIENT_ADDRESSES_PENDING)
        return;
    log_warning("host name cannot be resolved",
                LOG_FIELDS(log_string("host", host->name), log_string("error", error)));
    host->state = CLIENT_ADDRESSES_FAILED;
}

static void note_addresses(struct client_addresses *host, const char *addresses)
{
    host->next_ms = clock_monotonic_ms() + REFRESH_MS;
    host->state = CLIENT_ADDRESSES_RESOLVED;
    if (strcmp(host->addresses, addresses) == 0)
        return;
    snprintf(host->addresses, sizeof host->addresses, "%s", addresses);
    if (++host->generation == 0)
        host->generation = 1;
    log_info("host name resolved",
             LOG_FIELDS(log_string("host", host->name), log_string("addresses", addresses)));
}

static void on_addresses(void *context, const char *addresses, int count, const char *error)
{
    struct client_addresses *host = context;
    char list[ADDRESSES_SIZE];

    (void)count;
    host->looking = false;
    if (addresses == NULL) {
        note_failure(host, error);
        return;
    }
    write_list(addresses, list);
    note_addresses(host, list);
}

static int64_t step(void *context, int64_t now_ms)
{
    struct client_addresses *host = context;

    if (host->looking)
        return EVENT_LOOP_IDLE;
    if (now_ms < host->next_ms)
        return host->next_ms;
    host->started_ms = now_ms;
    host->next_ms = now_ms + RETRY_MS;
    host->looking = resolver_lookup(host->resolver, host->name) == 0;
    return host->looking ? EVENT_LOOP_IDLE : host->next_ms;
}

int client_addresses_create(struct client_addresses **created, struct event_loop *loop,
                            const char *name)
{
    struct client_addresses *host = calloc(1, sizeof *host);
    if (host == NULL)
        return -1;
    host->name = name;
    *created = host;
    if (is_address(name)) {
        host->state = CLIENT_ADDRESSES_NUMERIC;
        return 0;
    }
    host->state = CLIENT_ADDRESSES_PENDING;
    if (resolver_create(&host->resolver, loop, on_addresses, host) != 0) {
        free(host);
        return -1;
    }
    event_loop_add_step(loop, step, host);
    return 0;
}

void client_addresses_destroy(struct client_addresses *host)
{
    if (host == NULL)
        return;
    resolver_destroy(host->resolver);
    free(host);
}

enum client_addresses_state client_addresses_state(const struct client_addresses *host)
{
    return host->state;
}

const char *client_addresses_list(const struct client_addresses *host)
{
    return host->addresses;
}

unsigned client_addresses_generation(const struct client_addresses *host)
{
    return host->generation;
}

void client_addresses_suspect(struct client_addresses *host)
{
    int64_t soon_ms = host->started_ms + RETRY_MS;
    if (host->next_ms > soon_ms)
        host->next_ms = soon_ms;
}
