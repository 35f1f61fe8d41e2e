#include "servers.h"

#include "clock.h"
#include "host_list.h"
#include "resolver.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name server's answer that came too late for its turn is good for the next, but not for ever. */
#define LATE_ANSWER_MS 10000

struct entry {
    struct servers *servers;
    const struct host *host;
    struct resolver *resolver; /* NULL: a Unix socket's directory */
    int64_t answered_ms;       /* 0: there is no answer that was not used yet */
    char addresses[RESOLVER_ADDRESSES_MAX][INET6_ADDRSTRLEN];
    int count;
    char error[64]; /* why there is none */
};

struct servers {
    struct host_list list;
    struct entry *entries;
    servers_callback *callback;
    void *context;

    int current; /* the entry whose turn it is */
    int visited; /* entries whose turn in this round is over */
    int first;   /* of the current entry's addresses, the one that came or comes first */
    int given;   /* how many of them have come; 0: its turn has not begun */

    int last_entry, last_address;             /* what came last */
    int preferred_entry;                      /* -1: none */
    char preferred_address[INET6_ADDRSTRLEN]; /* "": a Unix socket */
    bool avoided;                             /* the preferred one goes last instead */
};

static void end_turn(struct servers *servers)
{
    servers->current = (servers->current + 1) % servers->list.count;
    servers->visited++;
    servers->given = 0;
}

static bool is_waited_for(const struct entry *entry)
{
    const struct servers *servers = entry->servers;
    return entry == &servers->entries[servers->current] && servers->given == 0;
}

static void on_addresses(void *context, const char *addresses, int count, const char *error)
{
    struct entry *entry = context;

    entry->answered_ms = clock_monotonic_ms();
    snprintf(entry->error, sizeof entry->error, "%s", error == NULL ? "" : error);
    entry->count = 0;
    for (; entry->count < count; entry->count++) {
        size_t length = strcspn(addresses, ",");
        snprintf(entry->addresses[entry->count], INET6_ADDRSTRLEN, "%.*s", (int)length, addresses);
        addresses += length + (addresses[length] == ',');
    }
    if (is_waited_for(entry))
        entry->servers->callback(entry->servers->context);
}

static int init_entry(struct entry *entry, struct servers *servers, const struct host *host,
                      struct event_loop *loop)
{
    entry->servers = servers;
    entry->host = host;
    if (!host_is_directory(host))
        return resolver_create(&entry->resolver, loop, on_addresses, entry);
    entry->count = 1;
    return 0;
}

int servers_create(struct servers **created, struct event_loop *loop, const char *hosts,
                   const char *ports, servers_callback *callback, void *context)
{
    struct servers *servers = calloc(1, sizeof *servers);
    if (servers == NULL)
        return -1;
    servers->callback = callback;
    servers->context = context;
    servers->preferred_entry = -1;
    if (host_list_parse(&servers->list, hosts, ports) != 0)
        goto failed;
    servers->entries = calloc((size_t)servers->list.count, sizeof *servers->entries);
    if (servers->entries == NULL)
        goto failed;
    for (int i = 0; i < servers->list.count; i++)
        if (init_entry(&servers->entries[i], servers, &servers->list.hosts[i], loop) != 0)
            goto failed;
    *created = servers;
    return 0;

failed:
    servers_destroy(servers);
    return -1;
}

void servers_destroy(struct servers *servers)
{
    if (servers == NULL)
        return;
    for (int i = 0; servers->entries != NULL && i < servers->list.count; i++)
        resolver_destroy(servers->entries[i].resolver);
    free(servers->entries);
    host_list_free(&servers->list);
    free(servers);
}

/* Where the walk through the current entry's addresses begins. */
static int first_address(const struct servers *servers, const struct entry *entry)
{
    if (servers->current != servers->preferred_entry)
        return 0;
    for (int i = 0; i < entry->count; i++)
        if (strcmp(entry->addresses[i], servers->preferred_address) == 0)
            return servers->avoided ? (i + 1) % entry->count : i;
    return 0;
}

static bool has_fresh_answer(const struct entry *entry)
{
    return entry->answered_ms != 0 && clock_monotonic_ms() - entry->answered_ms <= LATE_ANSWER_MS;
}

static enum servers_step look_up(struct entry *entry)
{
    if (!has_fresh_answer(entry)) {
        if (resolver_lookup(entry->resolver, entry->host->name) == 0)
            return SERVERS_LOOKING_UP;
        entry->count = 0;
        snprintf(entry->error, sizeof entry->error, "a thread to look it up cannot be started");
    }
    entry->answered_ms = 0;
    return entry->count > 0 ? SERVERS_FOUND : SERVERS_FAILED;
}

static void give_next(struct servers *servers, const struct entry *entry, struct server *server)
{
    if (servers->given == 0)
        servers->first = first_address(servers, entry);
    servers->last_entry = servers->current;
    servers->last_address = (servers->first + servers->given) % entry->count;
    if (entry->resolver != NULL)
        server->address = entry->addresses[servers->last_address];
    if (++servers->given == entry->count)
        end_turn(servers);
}

enum servers_step servers_next(struct servers *servers, struct server *server)
{
    struct entry *entry = &servers->entries[servers->current];
    enum servers_step step = SERVERS_FOUND;

    if (!servers_has_more(servers))
        servers->visited = 0;
    *server = (struct server){
        .host = entry->host->name, .port = entry->host->port, .error = entry->error};
    if (servers->given == 0 && entry->resolver != NULL)
        step = look_up(entry);
    if (step == SERVERS_FOUND)
        give_next(servers, entry, server);
    else if (step == SERVERS_FAILED)
        end_turn(servers);
    return step;
}

bool servers_has_more(const struct servers *servers)
{
    return servers->visited < servers->list.count;
}

const char *servers_skip(struct servers *servers)
{
    const char *name = servers->entries[servers->current].host->name;
    end_turn(servers);
    return name;
}

static void begin_round_at(struct servers *servers, int entry)
{
    servers->current = entry;
    servers->visited = 0;
    servers->given = 0;
}

void servers_prefer(struct servers *servers)
{
    const struct entry *entry = &servers->entries[servers->last_entry];

    servers->preferred_entry = servers->last_entry;
    snprintf(servers->preferred_address, sizeof servers->preferred_address, "%s",
             entry->addresses[servers->last_address]);
    servers->avoided = false;
    begin_round_at(servers, servers->last_entry);
}

void servers_avoid(struct servers *servers)
{
    servers->avoided = true;
    begin_round_at(servers, (servers->preferred_entry + 1) % servers->list.count);
}
