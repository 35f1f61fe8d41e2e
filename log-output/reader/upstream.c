#include "upstream.h"

#include "clock.h"
#include "upstream_multi.h"
#include "upstream_transfer.h"

#include <stdlib.h>

/* In the queue until a transfer is free, then on its slot. */
struct call {
    struct call *next;
    upstream_callback *callback;
    void *context;
    int64_t started_ns;
    int64_t deadline_ms;
    char trace_parent[TRACE_PARENT_SIZE];
};

/* A transfer and the call it is used for. */
struct slot {
    struct slot *previous, *next;
    struct upstream_transfer *transfer;
    struct call *call; /* owned; NULL: the slot is free */
};

struct upstream {
    struct upstream_options options;
    struct upstream_multi *multi;

    struct slot *free_slots;
    struct slot in_flight; /* head of a list in the order of the deadlines */
    int64_t slot_count;    /* made so far */
    int64_t in_flight_count;

    struct call *queue_first, *queue_last; /* in the order of the deadlines */
    size_t queue_length;
    struct call *free_calls;
};

static struct slot *make_slot(struct upstream *upstream)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return NULL;
    slot->transfer = upstream_transfer_create(upstream->multi, &upstream->options);
    if (slot->transfer == NULL) {
        free(slot);
        return NULL;
    }
    upstream->slot_count++;
    return slot;
}

static struct slot *take_slot(struct upstream *upstream)
{
    struct slot *slot = upstream->free_slots;
    if (slot != NULL) {
        upstream->free_slots = slot->next;
        return slot;
    }
    return upstream->slot_count < upstream->options.connections_max ? make_slot(upstream) : NULL;
}

static void release_slot(struct upstream *upstream, struct slot *slot)
{
    slot->call = NULL;
    slot->next = upstream->free_slots;
    upstream->free_slots = slot;
}

static void add_in_flight(struct upstream *upstream, struct slot *slot)
{
    slot->next = &upstream->in_flight;
    slot->previous = upstream->in_flight.previous;
    slot->previous->next = slot;
    slot->next->previous = slot;
    upstream->in_flight_count++;
}

static void remove_in_flight(struct upstream *upstream, struct slot *slot)
{
    slot->previous->next = slot->next;
    slot->next->previous = slot->previous;
    upstream->in_flight_count--;
}

static struct call *take_call(struct upstream *upstream)
{
    struct call *call = upstream->free_calls;
    if (call == NULL)
        return malloc(sizeof *call);
    upstream->free_calls = call->next;
    return call;
}

/* Answers and takes back the call. */
static void answer_call(struct upstream *upstream, struct call *call,
                        struct upstream_answer *answer)
{
    answer->duration_ns = clock_monotonic_ns() - call->started_ns;
    call->callback(call->context, answer);
    call->next = upstream->free_calls;
    upstream->free_calls = call;
}

static void refuse_call(struct upstream *upstream, struct call *call, enum upstream_result result)
{
    struct upstream_answer answer = {.result = result, .body = ""};
    answer_call(upstream, call, &answer);
}

/* Ends the transfer of a slot, whatever its state, and answers its call. */
static void finish(struct upstream *upstream, struct slot *slot, struct upstream_answer *answer)
{
    upstream_transfer_stop(slot->transfer);
    remove_in_flight(upstream, slot);
    if (answer->result == UPSTREAM_UNREACHABLE)
        host_addresses_suspect(upstream->options.addresses);
    /* The answer's body is the transfer's: it is free only after the call is answered. */
    answer_call(upstream, slot->call, answer);
    release_slot(upstream, slot);
}

static struct call *pop_queue(struct upstream *upstream)
{
    struct call *call = upstream->queue_first;
    upstream->queue_first = call->next;
    upstream->queue_length--;
    return call;
}

static void start(struct upstream *upstream, struct slot *slot, struct call *call)
{
    if (upstream_transfer_start(slot->transfer, call->trace_parent, slot) != 0) {
        refuse_call(upstream, call, UPSTREAM_UNREACHABLE);
        release_slot(upstream, slot);
        return;
    }
    slot->call = call;
    add_in_flight(upstream, slot);
}

static bool is_wanted(const struct upstream *upstream, const struct call *call)
{
    return upstream->options.is_wanted == NULL || upstream->options.is_wanted(call->context);
}

/* Returns whether calls were answered: refused, that is. */
static bool start_queued(struct upstream *upstream)
{
    enum host_addresses_state addresses = host_addresses_state(upstream->options.addresses);
    bool any = false;

    while (addresses != HOST_ADDRESSES_PENDING && upstream->queue_first != NULL) {
        if (!is_wanted(upstream, upstream->queue_first)) {
            refuse_call(upstream, pop_queue(upstream), UPSTREAM_ABANDONED);
            any = true;
        } else if (addresses == HOST_ADDRESSES_FAILED) {
            refuse_call(upstream, pop_queue(upstream), UPSTREAM_UNRESOLVED);
            any = true;
        } else {
            struct slot *slot = take_slot(upstream);
            if (slot == NULL)
                break;
            start(upstream, slot, pop_queue(upstream));
        }
    }
    return any;
}

void upstream_get(struct upstream *upstream, const struct trace *parent,
                  upstream_callback *callback, void *context)
{
    const struct upstream_options *options = &upstream->options;
    int64_t room = options->queue_max + options->connections_max - upstream->in_flight_count;
    struct call *call = NULL;

    if ((int64_t)upstream->queue_length < room)
        call = take_call(upstream);
    if (call == NULL) {
        struct upstream_answer answer = {.result = UPSTREAM_QUEUE_FULL, .body = ""};
        callback(context, &answer);
        return;
    }
    call->next = NULL;
    call->callback = callback;
    call->context = context;
    call->started_ns = clock_monotonic_ns();
    call->deadline_ms = call->started_ns / 1000000 + options->timeout_ms;
    trace_continue(parent, call->trace_parent);
    if (upstream->queue_first == NULL)
        upstream->queue_first = call;
    else
        upstream->queue_last->next = call;
    upstream->queue_last = call;
    upstream->queue_length++;
}

size_t upstream_queue_length(const struct upstream *upstream)
{
    return upstream->queue_length;
}

/* Answers the calls whose transfers have ended. Returns whether there were any. */
static bool collect(struct upstream *upstream)
{
    struct upstream_answer answer;
    struct slot *slot;
    bool any = false;

    while ((slot = upstream_transfer_next_done(upstream->multi, &answer)) != NULL) {
        finish(upstream, slot, &answer);
        any = true;
    }
    return any;
}

/* Both lists are in the order of the deadlines, so only their beginnings are looked at. */
static bool expire(struct upstream *upstream, int64_t now_ms)
{
    bool any = false;

    while (upstream->in_flight_count > 0 && upstream->in_flight.next->call->deadline_ms <= now_ms) {
        struct upstream_answer answer = {.result = UPSTREAM_TIMED_OUT, .body = ""};
        finish(upstream, upstream->in_flight.next, &answer);
        any = true;
    }
    enum upstream_result reason = UPSTREAM_TIMED_OUT;
    if (host_addresses_state(upstream->options.addresses) == HOST_ADDRESSES_PENDING)
        reason = UPSTREAM_UNRESOLVED;
    while (upstream->queue_first != NULL && upstream->queue_first->deadline_ms <= now_ms) {
        refuse_call(upstream, pop_queue(upstream), reason);
        any = true;
    }
    return any;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_due_ms(const struct upstream *upstream)
{
    int64_t due_ms = upstream_multi_due_ms(upstream->multi);

    if (upstream->in_flight_count > 0)
        due_ms = earlier(due_ms, upstream->in_flight.next->call->deadline_ms);
    if (upstream->queue_first != NULL)
        due_ms = earlier(due_ms, upstream->queue_first->deadline_ms);
    return due_ms;
}

static int64_t step(void *context, int64_t now_ms)
{
    struct upstream *upstream = context;

    bool answered = collect(upstream);
    answered |= expire(upstream, now_ms);
    answered |= start_queued(upstream);
    upstream_multi_run(upstream->multi);
    answered |= collect(upstream);
    /* Whoever was answered has work to do, and its step has run already. */
    return answered ? now_ms : next_due_ms(upstream);
}

int upstream_create(struct upstream **created, struct event_loop *loop,
                    const struct upstream_options *options)
{
    struct upstream *upstream = calloc(1, sizeof *upstream);
    if (upstream == NULL)
        return -1;
    upstream->options = *options;
    upstream->in_flight.next = upstream->in_flight.previous = &upstream->in_flight;
    upstream->multi = upstream_multi_create(loop, options->connections_max);
    if (upstream->multi == NULL) {
        free(upstream);
        return -1;
    }
    event_loop_add_step(loop, step, upstream);
    *created = upstream;
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

void upstream_destroy(struct upstream *upstream)
{
    if (upstream == NULL)
        return;
    while (upstream->in_flight_count > 0) {
        struct slot *slot = upstream->in_flight.next;
        upstream_transfer_stop(slot->transfer);
        remove_in_flight(upstream, slot);
        free(slot->call);
        release_slot(upstream, slot);
    }
    while (upstream->free_slots != NULL) {
        struct slot *slot = upstream->free_slots;
        upstream->free_slots = slot->next;
        upstream_transfer_destroy(slot->transfer);
        free(slot);
    }
    upstream_multi_destroy(upstream->multi);
    free_calls(upstream->queue_first);
    free_calls(upstream->free_calls);
    free(upstream);
}
