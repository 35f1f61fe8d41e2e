/* The requests to pingpong, each for one ping or for several: when, what, and what came of it. */
#include "clock.h"
#include "log.h"
#include "pingpong_client_internal.h"
#include "pong_reply.h"

#include <inttypes.h>
#include <stdlib.h>

/* So many requests for waiting views are under way at a time: enough for pingpong to have the next
 * while it commits one, and few enough to be full. One that takes longer than the time below does
 * not count, so that what hangs holds up no others. See docs/performance.md. */
#define UNDER_WAY_MAX 4
#define UNDER_WAY_MS 20

/* A pingpong that takes one ping at a time may be replaced by one that takes several. */
#define SEVERAL_AGAIN_MS 30000

/* Of one view; and the time for the first connection and the second, doubled for each further one.
 * The kernel sends a lost packet again after a second only. */
#define ATTEMPTS_MAX 5
#define CONNECT_MS 200

/* Before asking again, doubled for each attempt. */
#define RECONNECT_MS 10
#define NOT_COUNTED_MS 50

static void insert(struct ping_batch *head, struct ping_batch *batch)
{
    batch->next = head;
    batch->previous = head->previous;
    batch->previous->next = batch;
    head->previous = batch;
}

static void take_out(struct ping_batch *batch)
{
    batch->previous->next = batch->next;
    batch->next->previous = batch->previous;
}

static struct ping_batch *take_batch(struct pingpong_client *client)
{
    struct ping_batch *batch = client->free_batches;
    if (batch == NULL)
        return calloc(1, sizeof *batch);
    client->free_batches = batch->next;
    *batch = (struct ping_batch){0};
    return batch;
}

static void release_batch(struct pingpong_client *client, struct ping_batch *batch)
{
    batch->next = client->free_batches;
    client->free_batches = batch;
}

static bool takes_several(const struct pingpong_client *client, int64_t now_ms)
{
    return client->several_url[0] != '\0' && now_ms >= client->several_again_ms;
}

int64_t ping_batch_free_ms(const struct pingpong_client *client, int64_t now_ms)
{
    int64_t young = 0, oldest_ms = INT64_MAX;

    if (!takes_several(client, now_ms))
        return now_ms;
    for (const struct ping_batch *batch = client->under_way.next; batch != &client->under_way;
         batch = batch->next) {
        if (batch->is_traced || now_ms - batch->sent_ms >= UNDER_WAY_MS)
            continue;
        young++;
        if (batch->sent_ms < oldest_ms)
            oldest_ms = batch->sent_ms;
    }
    return young < UNDER_WAY_MAX ? now_ms : oldest_ms + UNDER_WAY_MS;
}

/* Fills the batch with pings that still have viewers. */
static void gather(struct pingpong_client *client, struct ping_batch *batch, struct ping_list *list,
                   int64_t max)
{
    const struct pong abandoned = {.result = CLIENT_ABANDONED};
    struct ping *ping;

    while (batch->pings.count < max && (ping = ping_list_take(list)) != NULL) {
        if (client->options.is_wanted(ping->context))
            ping_list_append(&batch->pings, ping);
        else
            pingpong_client_answer(client, ping, &abandoned);
    }
    batch->count = batch->pings.count;
    batch->is_alone = batch->count == 1;
}

static int64_t connect_timeout_ms(const struct pingpong_client *client, unsigned attempts)
{
    int64_t timeout_ms = (int64_t)CONNECT_MS << (attempts > 0 ? attempts - 1 : 0);
    int64_t longest_ms = client->options.client.connect_timeout_ms;
    return timeout_ms < longest_ms ? timeout_ms : longest_ms;
}

static void on_answer(void *context, const struct client_answer *answer);

static void ask(struct pingpong_client *client, struct ping_batch *batch, int64_t now_ms)
{
    const struct ping *first = batch->pings.first;
    const struct http_trace_headers *trace = batch->is_alone ? first->trace : NULL;
    struct client_request request = {
        .connect_timeout_ms = connect_timeout_ms(client, first->attempts),
        .weight = batch->count,
        .is_repeated = first->attempts > 0,
        .avoid = first->avoid,
    };

    if (!batch->is_alone) {
        snprintf(batch->body, sizeof batch->body, "{\"count\":%" PRId64 "}", batch->count);
        request.url = client->several_url;
        request.body = batch->body;
    }
    if (trace != NULL) {
        request.trace = trace->has_parent ? &trace->parent : NULL;
        request.lines = trace->lines;
    }
    batch->client = client;
    batch->is_traced = trace != NULL;
    batch->sent_ms = now_ms;
    insert(&client->under_way, batch);
    histogram_observe(&client->batch_sizes, (double)batch->count);
    client_send(client->upstream, &request, on_answer, batch);
}

/* Asks for the next one, or for all that wait. Returns false if none could be asked for. */
static bool ask_next(struct pingpong_client *client, int64_t now_ms)
{
    bool traced_first = ping_list_first_ns(&client->traced) < ping_list_first_ns(&client->waiting);
    bool may_ask = client->waiting.count > 0 && ping_batch_free_ms(client, now_ms) <= now_ms;

    if (client->traced.count == 0 && !may_ask)
        return false;
    struct ping_batch *batch = take_batch(client);
    if (batch == NULL)
        return false;
    if (client->traced.count > 0 && (traced_first || !may_ask))
        gather(client, batch, &client->traced, 1);
    else
        gather(client, batch, &client->waiting,
               takes_several(client, now_ms) ? client->batch_max : 1);
    if (batch->count > 0)
        ask(client, batch, now_ms);
    else
        release_batch(client, batch);
    return true;
}

void ping_batch_ask_for_waiting(struct pingpong_client *client, int64_t now_ms)
{
    while (client_is_free(client->upstream) && ask_next(client, now_ms))
        ;
}

static struct ping_list *list_for(struct pingpong_client *client, const struct ping_batch *batch)
{
    return batch->is_traced ? &client->traced : &client->waiting;
}

/* Asks once more for those that have time and attempts left, and answers the others. */
static void ask_again(struct pingpong_client *client, struct ping_batch *batch, int64_t delay_ms,
                      const struct client_answer *answer, const struct pong *failed)
{
    int64_t now_ms = clock_monotonic_ms(), timeout_ms = client->options.client.timeout_ms;
    struct ping_list pings = batch->pings;
    struct ping *ping;

    batch->pings = (struct ping_list){0};
    batch->due_ms = now_ms + (delay_ms << pings.first->attempts);
    while ((ping = ping_list_take(&pings)) != NULL) {
        ping->avoid = (int8_t)answer->replica;
        if (++ping->attempts < ATTEMPTS_MAX &&
            ping->started_ns / 1000000 + timeout_ms > batch->due_ms) {
            ping_list_append(&batch->pings, ping);
            client->repeated++;
        } else {
            pingpong_client_answer(client, ping, failed);
        }
    }
    insert(&client->delayed, batch);
}

static void give_numbers(struct pingpong_client *client, struct ping_batch *batch,
                         struct pong *pong, int64_t first)
{
    struct ping *ping;

    for (int64_t i = batch->expired; (ping = ping_list_take(&batch->pings)) != NULL; i++) {
        pong->number = first + i;
        pingpong_client_answer(client, ping, pong);
    }
    if (client->batch_max < client->options.batch_max)
        client->batch_max = 2 * client->batch_max < client->options.batch_max
                                ? 2 * client->batch_max
                                : client->options.batch_max;
}

static int parse(const struct ping_batch *batch, const struct client_answer *answer, int64_t *first)
{
    if (batch->is_alone)
        return pong_reply_parse(answer->body, answer->length, first);
    return pong_reply_parse_several(answer->body, answer->length, batch->count, first);
}

/* What does not know of several pings is asked for one at a time. */
static void do_without_several(struct pingpong_client *client)
{
    client->several_again_ms = clock_monotonic_ms() + SEVERAL_AGAIN_MS;
    log_info("pingpong takes one ping at a time",
             LOG_FIELDS(log_string("url", client->several_url)));
}

/* The request failed, and surely nothing was counted: whether and how to ask again. */
static void handle_not_counted(struct pingpong_client *client, struct ping_batch *batch,
                               const struct client_answer *answer, const struct pong *failed)
{
    bool timed_out =
        answer->duration_ns / 1000000 >= connect_timeout_ms(client, batch->pings.first->attempts);

    if (answer->result == CLIENT_UNREACHABLE) {
        ask_again(client, batch, timed_out ? 0 : RECONNECT_MS, answer, failed);
    } else if (answer->result == CLIENT_BAD_STATUS && answer->status == 503) {
        if (!batch->is_alone)
            client->batch_max = (batch->count + 1) / 2;
        ask_again(client, batch, NOT_COUNTED_MS, answer, failed);
    } else if (answer->result == CLIENT_BAD_STATUS && !batch->is_alone) {
        do_without_several(client);
        ping_list_prepend(list_for(client, batch), &batch->pings);
        release_batch(client, batch);
    } else {
        pingpong_client_answer_all(client, &batch->pings, failed);
        release_batch(client, batch);
    }
}

static void handle_answer(struct pingpong_client *client, struct ping_batch *batch,
                          const struct client_answer *answer)
{
    struct pong pong = {.result = answer->result, .status = answer->status};
    int64_t first;

    if (answer->headers != NULL)
        pong.answerer =
            (struct http_answerer){answer->headers[0], answer->headers[1], answer->headers[2]};

    if (pong.result == CLIENT_OK && parse(batch, answer, &first) == 0) {
        give_numbers(client, batch, &pong, first);
        release_batch(client, batch);
        return;
    }
    if (pong.result == CLIENT_OK) {
        pong.result = CLIENT_NONSENSE;
        if (!batch->is_alone)
            do_without_several(client);
    }
    pong.may_be_counted =
        answer->was_sent && !(pong.result == CLIENT_BAD_STATUS &&
                              pong_reply_is_not_counted(answer->status, answer->body));
    if (!pong.may_be_counted && batch->pings.count > 0) {
        handle_not_counted(client, batch, answer, &pong);
        return;
    }
    pingpong_client_answer_all(client, &batch->pings, &pong);
    release_batch(client, batch);
}

static void on_answer(void *context, const struct client_answer *answer)
{
    struct ping_batch *batch = context;
    struct pingpong_client *client = batch->client;

    take_out(batch);
    /* The next request is sent before this one's views are answered, which may be many. */
    if (!batch->is_alone)
        ping_batch_ask_for_waiting(client, clock_monotonic_ms());
    handle_answer(client, batch, answer);
}

void ping_batch_wake_delayed(struct pingpong_client *client, int64_t now_ms)
{
    struct ping_batch *previous;

    /* The oldest is moved last, and so comes first. */
    for (struct ping_batch *batch = client->delayed.previous; batch != &client->delayed;
         batch = previous) {
        previous = batch->previous;
        if (batch->due_ms > now_ms)
            continue;
        take_out(batch);
        ping_list_prepend(list_for(client, batch), &batch->pings);
        release_batch(client, batch);
    }
}

void ping_batch_free_list(struct ping_batch *head)
{
    struct ping_batch *next;

    for (struct ping_batch *batch = head->next; batch != head; batch = next) {
        next = batch->next;
        for (struct ping *ping = batch->pings.first; ping != NULL; ping = ping->next)
            free(ping->trace);
        free(batch);
    }
    head->next = head->previous = head;
}
