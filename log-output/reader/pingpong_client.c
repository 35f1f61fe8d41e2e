#include "pingpong_client.h"

#include "metrics.h"
#include "pong_reply.h"

#include <stdlib.h>

struct pingpong_client {
    struct client *upstream;
    uint64_t results[CLIENT_RESULT_COUNT];
    struct histogram duration;
};

int pingpong_client_create(struct pingpong_client **created, struct event_loop *loop,
                           const struct client_options *options)
{
    struct pingpong_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return -1;
    client->duration.bounds = histogram_seconds_bounds;
    client->duration.bound_count = histogram_seconds_bound_count;
    struct client_options asking = *options;
    asking.headers = http_identity_headers;
    asking.header_count = HTTP_IDENTITY_HEADER_COUNT;
    if (client_create(&client->upstream, loop, &asking) != 0) {
        free(client);
        return -1;
    }
    *created = client;
    return 0;
}

void pingpong_client_destroy(struct pingpong_client *client)
{
    if (client == NULL)
        return;
    client_destroy(client->upstream);
    free(client);
}

static void on_answer(void *context, const struct client_answer *answer)
{
    const struct ping *ping = context;
    struct pingpong_client *client = ping->client;
    struct pong pong = {.result = answer->result, .status = answer->status};

    if (pong.result == CLIENT_OK &&
        pong_reply_parse(answer->body, answer->length, &pong.number) != 0)
        pong.result = CLIENT_NONSENSE;
    if (answer->headers != NULL)
        pong.answerer =
            (struct http_answerer){answer->headers[0], answer->headers[1], answer->headers[2]};
    client->results[pong.result]++;
    histogram_observe(&client->duration, (double)answer->duration_ns / 1e9);
    ping->callback(ping->context, &pong);
}

void pingpong_client_ping(struct pingpong_client *client, const struct trace *parent,
                          struct ping *ping, pingpong_callback *callback, void *context)
{
    *ping = (struct ping){.client = client, .callback = callback, .context = context};
    client_get(client->upstream, parent, on_answer, ping);
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
    metrics_write_header(out, "log_output_upstream_duration_seconds", "histogram",
                         "From a page's ping to its answer, waiting for a connection included.");
    metrics_write_histogram(out, "log_output_upstream_duration_seconds", NULL, &client->duration);
    metrics_write_gauge(out, "log_output_upstream_queue_length",
                        "Pages that wait for a connection to pingpong.",
                        (double)client_queue_length(client->upstream));
}
