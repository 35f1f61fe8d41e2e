#include "client/client.h"

#include "client/multi.h"
#include "client/transfer.h"
#include "clock.h"

#include <stdlib.h>

/* In the queue until a transfer is free, then on its slot. */
struct call {
    struct call *next;
    client_callback *callback;
    void *context;
    int64_t started_ns;
    int64_t deadline_ms;
    char trace_parent[TRACE_PARENT_SIZE];
};

/* A transfer and the call it is used for. */
struct slot {
    struct slot *previous, *next;
    struct client_transfer *transfer;
    struct call *call; /* owned; NULL: the slot is free */
};

struct client {
    struct client_options options;
    struct client_multi *multi;

    struct slot *free_slots;
    struct slot in_flight; /* head of a list in the order of the deadlines */
    int64_t slot_count;    /* made so far */
    int64_t in_flight_count;

    struct call *queue_first, *queue_last; /* in the order of the deadlines */
    size_t queue_length;
    struct call *free_calls;
};

static struct slot *make_slot(struct client *client)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return NULL;
    slot->transfer = client_transfer_create(client->multi, &client->options);
    if (slot->transfer == NULL) {
        free(slot);
        return NULL;
    }
    client->slot_count++;
    return slot;
}

static struct slot *take_slot(struct client *client)
{
    struct slot *slot = client->free_slots;
    if (slot != NULL) {
        client->free_slots = slot->next;
        return slot;
    }
    return client->slot_count < client->options.connections_max ? make_slot(client) : NULL;
}

static void release_slot(struct client *client, struct slot *slot)
{
    slot->call = NULL;
    slot->next = client->free_slots;
    client->free_slots = slot;
}

static void add_in_flight(struct client *client, struct slot *slot)
{
    slot->next = &client->in_flight;
    slot->previous = client->in_flight.previous;
    slot->previous->next = slot;
    slot->next->previous = slot;
    client->in_flight_count++;
}

static void remove_in_flight(struct client *client, struct slot *slot)
{
    slot->previous->next = slot->next;
    slot->next->previous = slot->previous;
    client->in_flight_count--;
}

static struct call *take_call(struct client *client)
{
    struct call *call = client->free_calls;
    if (call == NULL)
        return malloc(sizeof *call);
    client->free_calls = call->next;
    return call;
}

/* Answers and takes back the call. */
static void answer_call(struct client *client, struct call *call, struct client_answer *answer)
{
    answer->duration_ns = clock_monotonic_ns() - call->started_ns;
    call->callback(call->context, answer);
    call->next = client->free_calls;
    client->free_calls = call;
}

static void refuse_call(struct client *client, struct call *call, enum client_result result)
{
    struct client_answer answer = {.result = result, .body = ""};
    answer_call(client, call, &answer);
}

/* Ends the transfer of a slot, whatever its state, and answers its call. */
static void finish(struct client *client, struct slot *slot, struct client_answer *answer)
{
    answer->was_sent = client_transfer_was_sent(slot->transfer);
    client_transfer_stop(slot->transfer);
    remove_in_flight(client, slot);
    if (answer->result == CLIENT_UNREACHABLE)
        client_addresses_suspect(client->options.addresses);
    /* The answer's body is the transfer's: it is free only after the call is answered. */
    answer_call(client, slot->call, answer);
    release_slot(client, slot);
}

static struct call *pop_queue(struct client *client)
{
    struct call *call = client->queue_first;
    client->queue_first = call->next;
    client->queue_length--;
    return call;
}

static void start(struct client *client, struct slot *slot, struct call *call)
{
    if (client->options.started != NULL)
        client->options.started(call->context);
    if (client_transfer_start(slot->transfer, call->trace_parent, slot) != 0) {
        refuse_call(client, call, CLIENT_UNREACHABLE);
        release_slot(client, slot);
        return;
    }
    slot->call = call;
    add_in_flight(client, slot);
}

static bool is_wanted(const struct client *client, const struct call *call)
{
    return client->options.is_wanted == NULL || client->options.is_wanted(call->context);
}

/* Returns whether calls were answered: refused, that is. */
static bool start_queued(struct client *client)
{
    enum client_addresses_state addresses = client_addresses_state(client->options.addresses);
    bool any = false;

    while (addresses != CLIENT_ADDRESSES_PENDING && client->queue_first != NULL) {
        if (!is_wanted(client, client->queue_first)) {
            refuse_call(client, pop_queue(client), CLIENT_ABANDONED);
            any = true;
        } else if (addresses == CLIENT_ADDRESSES_FAILED) {
            refuse_call(client, pop_queue(client), CLIENT_UNRESOLVED);
            any = true;
        } else {
            struct slot *slot = take_slot(client);
            if (slot == NULL)
                break;
            start(client, slot, pop_queue(client));
        }
    }
    return any;
}

void client_get(struct client *client, const struct trace *parent, client_callback *callback,
                void *context)
{
    const struct client_options *options = &client->options;
    int64_t room = options->queue_max + options->connections_max - client->in_flight_count;
    struct call *call = NULL;

    if ((int64_t)client->queue_length < room)
        call = take_call(client);
    if (call == NULL) {
        struct client_answer answer = {.result = CLIENT_QUEUE_FULL, .body = ""};
        callback(context, &answer);
        return;
    }
    call->next = NULL;
    call->callback = callback;
    call->context = context;
    call->started_ns = clock_monotonic_ns();
    call->deadline_ms = call->started_ns / 1000000 + options->timeout_ms;
    trace_continue(parent, call->trace_parent);
    if (client->queue_first == NULL)
        client->queue_first = call;
    else
        client->queue_last->next = call;
    client->queue_last = call;
    client->queue_length++;
}

size_t client_queue_length(const struct client *client)
{
    return client->queue_length;
}

/* Answers the calls whose transfers have ended. Returns whether there were any. */
static bool collect(struct client *client)
{
    struct client_answer answer;
    struct slot *slot;
    bool any = false;

    while ((slot = client_transfer_next_done(client->multi, &answer)) != NULL) {
        finish(client, slot, &answer);
        any = true;
    }
    return any;
}

/* Both lists are in the order of the deadlines, so only their beginnings are looked at. */
static bool expire(struct client *client, int64_t now_ms)
{
    bool any = false;

    while (client->in_flight_count > 0 && client->in_flight.next->call->deadline_ms <= now_ms) {
        struct client_answer answer = {.result = CLIENT_TIMED_OUT, .body = ""};
        finish(client, client->in_flight.next, &answer);
        any = true;
    }
    enum client_result reason = CLIENT_TIMED_OUT;
    if (client_addresses_state(client->options.addresses) == CLIENT_ADDRESSES_PENDING)
        reason = CLIENT_UNRESOLVED;
    while (client->queue_first != NULL && client->queue_first->deadline_ms <= now_ms) {
        refuse_call(client, pop_queue(client), reason);
        any = true;
    }
    return any;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_due_ms(const struct client *client)
{
    int64_t due_ms = client_multi_due_ms(client->multi);

    if (client->in_flight_count > 0)
        due_ms = earlier(due_ms, client->in_flight.next->call->deadline_ms);
    if (client->queue_first != NULL)
        due_ms = earlier(due_ms, client->queue_first->deadline_ms);
    return due_ms;
}

static int64_t step(void *context, int64_t now_ms)
{
    struct client *client = context;

    bool answered = collect(client);
    answered |= expire(client, now_ms);
    answered |= start_queued(client);
    client_multi_run(client->multi);
    answered |= collect(client);
    /* Whoever was answered has work to do, and its step has run already. */
    return answered ? now_ms : next_due_ms(client);
}

int client_create(struct client **created, struct event_loop *loop,
                  const struct client_options *options)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return -1;
    client->options = *options;
    client->in_flight.next = client->in_flight.previous = &client->in_flight;
    client->multi = client_multi_create(loop, options->connections_max);
    if (client->multi == NULL) {
        free(client);
        return -1;
    }
    event_loop_add_step(loop, step, client);
    *created = client;
    return 0;
}

static void free_calls(struct call *call)
{
    while (call != NULL) {
        struct call *next = call->next;
        free(call);
        call = next;
    }
}

void client_destroy(struct client *client)
{
    if (client == NULL)
        return;
    while (client->in_flight_count > 0) {
        struct slot *slot = client->in_flight.next;
        client_transfer_stop(slot->transfer);
        remove_in_flight(client, slot);
        free(slot->call);
        release_slot(client, slot);
    }
    while (client->free_slots != NULL) {
        struct slot *slot = client->free_slots;
        client->free_slots = slot->next;
        client_transfer_destroy(slot->transfer);
        free(slot);
    }
    client_multi_destroy(client->multi);
    free_calls(client->queue_first);
    free_calls(client->free_calls);
    free(client);
}
