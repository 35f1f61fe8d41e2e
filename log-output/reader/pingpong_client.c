#include "pingpong_client.h"

#include "clock.h"
#include "http/identity.h"
#include "pingpong_client_internal.h"

#include <stdlib.h>

static const double size_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

void pingpong_client_answer(struct pingpong_client *client, struct ping *ping,
                            const struct pong *pong)
{
    client->results[pong->result]++;
    histogram_observe(&client->duration, (double)(clock_monotonic_ns() - ping->started_ns) / 1e9);
    free(ping->trace);
    client->options.callback(ping->context, pong);
}

void pingpong_client_answer_all(struct pingpong_client *client, struct ping_list *pings,
                                const struct pong *pong)
{
    struct ping *ping;
    while ((ping = ping_list_take(pings)) != NULL)
        pingpong_client_answer(client, ping, pong);
}

static int64_t deadline_ms(const struct pingpong_client *client, const struct ping_list *list)
{
    int64_t first_ns = ping_list_first_ns(list);
    return first_ns == INT64_MAX ? INT64_MAX
                                 : first_ns / 1000000 + client->options.client.timeout_ms;
}

/* Answers those whose time is up. Returns how many they were. */
static int64_t expire(struct pingpong_client *client, struct ping_list *list, int64_t now_ms,
                      bool was_sent)
{
    bool resolving = !was_sent && client_is_resolving(client->upstream);
    const struct pong pong = {.result = resolving ? CLIENT_UNRESOLVED : CLIENT_TIMED_OUT,
                              .may_be_counted = was_sent};
    int64_t before = list->count;

    while (deadline_ms(client, list) <= now_ms)
        pingpong_client_answer(client, ping_list_take(list), &pong);
    return before - list->count;
}

static int64_t expire_all(struct pingpong_client *client, int64_t now_ms)
{
    int64_t expired = expire(client, &client->waiting, now_ms, false) +
                      expire(client, &client->traced, now_ms, false);

    for (struct ping_batch *batch = client->under_way.next; batch != &client->under_way;
         batch = batch->next) {
        int64_t members = expire(client, &batch->pings, now_ms, true);
        batch->expired += members;
        expired += members;
    }
    return expired;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_ms(const struct pingpong_client *client, int64_t now_ms)
{
    int64_t due_ms =
        earlier(deadline_ms(client, &client->waiting), deadline_ms(client, &client->traced));

    for (const struct ping_batch *batch = client->under_way.next; batch != &client->under_way;
         batch = batch->next)
        due_ms = earlier(due_ms, deadline_ms(client, &batch->pings));
    for (const struct ping_batch *batch = client->delayed.next; batch != &client->delayed;
         batch = batch->next)
        due_ms = earlier(due_ms, batch->due_ms);
    if (client->waiting.count > 0 && client_is_free(client->upstream))
        due_ms = earlier(due_ms, ping_batch_free_ms(client, now_ms));
    return due_ms;
}

static int64_t step(void *context, int64_t now_ms)
{
    struct pingpong_client *client = context;

    int64_t expired = expire_all(client, now_ms);
    ping_batch_wake_delayed(client, now_ms);
    ping_batch_ask_for_waiting(client, now_ms);
    /* The HTTP server's step, which sends the answers, has run already. */
    return expired > 0 ? now_ms : next_ms(client, now_ms);
}

/* A connection that is free takes one at least. */
static bool has_room(const struct pingpong_client *client)
{
    int64_t room = client->options.client.queue_max - client->waiting.count - client->traced.count;

    if (room > 0)
        return true;
    room += client->options.client.connections_max;
    for (const struct ping_batch *batch = client->under_way.next; batch != &client->under_way;
         batch = batch->next)
        room--;
    return room > 0;
}

void pingpong_client_ping(struct pingpong_client *client, struct http_trace_headers *trace,
                          struct ping *ping, void *context)
{
    *ping = (struct ping){
        .context = context, .trace = trace, .started_ns = clock_monotonic_ns(), .avoid = -1};
    if (has_room(client))
        ping_list_append(trace != NULL ? &client->traced : &client->waiting, ping);
    else
        pingpong_client_answer(client, ping, &(struct pong){.result = CLIENT_QUEUE_FULL});
}

/* The neighbour of a URL that ends in what single pings are asked for with. */
static void set_several_url(struct pingpong_client *client)
{
    static const char *const singles[] = {"ping", "pingpong", NULL};
    const struct client_url *url = client->options.client.host;

    if (client->options.batch_max <= 1 ||
        client_url_neighbour(url, singles, "pings", client->several_url) != 0)
        client->several_url[0] = '\0';
}

int pingpong_client_create(struct pingpong_client **created, struct event_loop *loop,
                           const struct pingpong_client_options *options)
{
    struct pingpong_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return -1;
    client->options = *options;
    client->options.client.headers = http_identity_headers;
    client->options.client.header_count = HTTP_IDENTITY_HEADER_COUNT;
    client->options.client.is_balanced = true;
    client->options.client.replica_header = http_identity_headers[HTTP_IDENTITY_HEADER_COUNT - 1];
    client->batch_max = options->batch_max;
    client->under_way.previous = client->under_way.next = &client->under_way;
    client->delayed.previous = client->delayed.next = &client->delayed;
    client->duration.bounds = histogram_seconds_bounds;
    client->duration.bound_count = histogram_seconds_bound_count;
    client->batch_sizes.bounds = size_bounds;
    client->batch_sizes.bound_count = sizeof size_bounds / sizeof size_bounds[0];
    set_several_url(client);
    event_loop_add_step(loop, step, client);
    if (client_create(&client->upstream, loop, &client->options.client) != 0) {
        free(client);
        return -1;
    }
    *created = client;
    return 0;
}

static void forget(struct ping_list *list)
{
    struct ping *ping;
    while ((ping = ping_list_take(list)) != NULL)
        free(ping->trace);
}

void pingpong_client_destroy(struct pingpong_client *client)
{
    if (client == NULL)
        return;
    client_destroy(client->upstream);
    forget(&client->waiting);
    forget(&client->traced);
    ping_batch_free_list(&client->under_way);
    ping_batch_free_list(&client->delayed);
    while (client->free_batches != NULL) {
        struct ping_batch *batch = client->free_batches;
        client->free_batches = batch->next;
        free(batch);
    }
    free(client);
}

void pingpong_client_write_metrics(const struct pingpong_client *client, FILE *out)
{
    char label[64];

    metrics_write_header(out, "log_output_upstream_requests_total", "counter",
                         "Pings for pages, by how they ended.");
    for (enum client_result i = 0; i < CLIENT_RESULT_COUNT; i++) {
        snprintf(label, sizeof label, "result=\"%s\"", client_result_label(i));
        metrics_write_sample(out, "log_output_upstream_requests_total", label,
                             (double)client->results[i]);
    }
    metrics_write_counter(out, "log_output_upstream_repeated_total",
                          "Pings that were surely not counted and were asked for again.",
                          client->repeated);
    metrics_write_header(out, "log_output_upstream_batch_size", "histogram",
                         "Pages' pings in one request to pingpong.");
    metrics_write_histogram(out, "log_output_upstream_batch_size", NULL, &client->batch_sizes);
    metrics_write_header(out, "log_output_upstream_duration_seconds", "histogram",
                         "From a page's ping to its answer, waiting for its turn included.");
    metrics_write_histogram(out, "log_output_upstream_duration_seconds", NULL, &client->duration);
    metrics_write_gauge(out, "log_output_upstream_queue_length",
                        "Pages whose ping waits for its turn.",
                        (double)(client->waiting.count + client->traced.count));
}
