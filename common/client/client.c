#include "client/client.h"

#include "client/multi.h"
#include "client/pool.h"
#include "client/transfer.h"
#include "clock.h"

#include <stdlib.h>

/* In the queue until a connection is free, then its owner. */
struct call {
    struct call *next;
    struct client_request request; /* its trace is in trace_parent */
    client_callback *callback;
    void *context;
    int64_t started_ns;
    int64_t deadline_ms;
    char trace_parent[TRACE_PARENT_SIZE];
};

struct client {
    struct client_options options;
    struct client_multi *multi;
    struct client_pool *pool;

    struct client_connection in_flight; /* head of a list in the order of the deadlines */
    int64_t in_flight_count;

    struct call *queue_first, *queue_last; /* in the order of the deadlines */
    size_t queue_length;
    struct call *free_calls;
};

static void add_in_flight(struct client *client, struct client_connection *connection)
{
    connection->next = &client->in_flight;
    connection->previous = client->in_flight.previous;
    connection->previous->next = connection;
    connection->next->previous = connection;
    client->in_flight_count++;
}

static void remove_in_flight(struct client *client, struct client_connection *connection)
{
    connection->previous->next = connection->next;
    connection->next->previous = connection->previous;
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

static void stop_transfer(struct client *client, struct client_connection *connection,
                          struct client_answer *answer)
{
    answer->was_sent = client_transfer_was_sent(connection->transfer);
    client_transfer_stop(connection->transfer);
    remove_in_flight(client, connection);
    client_pool_give_back(client->pool, connection, answer, clock_monotonic_ms());
}

/* Ends the transfer of a connection, whatever its state, and answers its call. The answer's body
 * is the transfer's, which is not used again before the next step. */
static void finish(struct client *client, struct client_connection *connection,
                   struct client_answer *answer)
{
    stop_transfer(client, connection, answer);
    if (answer->result == CLIENT_UNREACHABLE)
        client_addresses_suspect(client->options.addresses);
    answer_call(client, connection->owner, answer);
}

static struct call *pop_queue(struct client *client)
{
    struct call *call = client->queue_first;
    client->queue_first = call->next;
    client->queue_length--;
    return call;
}

static void start(struct client *client, struct client_connection *connection, struct call *call)
{
    struct client_answer failed = {.result = CLIENT_UNREACHABLE, .body = ""};

    if (client->options.started != NULL)
        client->options.started(call->context);
    if (client_transfer_start(connection->transfer, &call->request, call->trace_parent,
                              connection) != 0) {
        client_pool_give_back(client->pool, connection, &failed, clock_monotonic_ms());
        answer_call(client, call, &failed);
        return;
    }
    connection->owner = call;
    add_in_flight(client, connection);
}

static bool is_wanted(const struct client *client, const struct call *call)
{
    return client->options.is_wanted == NULL || client->options.is_wanted(call->context);
}

/* Returns whether calls were answered: refused, that is. */
static bool start_queued(struct client *client, int64_t now_ms)
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
            struct client_connection *connection =
                client_pool_take(client->pool, &client->queue_first->request, now_ms);
            if (connection == NULL)
                break;
            start(client, connection, pop_queue(client));
        }
    }
    return any;
}

static void append(struct client *client, struct call *call)
{
    if (client->queue_first == NULL)
        client->queue_first = call;
    else
        client->queue_last->next = call;
    client->queue_last = call;
    client->queue_length++;
}

void client_send(struct client *client, const struct client_request *request,
                 client_callback *callback, void *context)
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
    *call = (struct call){.request = *request,
                          .callback = callback,
                          .context = context,
                          .started_ns = clock_monotonic_ns()};
    call->deadline_ms = call->started_ns / 1000000 + options->timeout_ms;
    trace_continue(request->trace, call->trace_parent);
    append(client, call);
}

void client_get(struct client *client, const struct trace *parent, client_callback *callback,
                void *context)
{
    client_send(client, &(struct client_request){.trace = parent}, callback, context);
}

bool client_is_free(const struct client *client)
{
    return client_addresses_state(client->options.addresses) != CLIENT_ADDRESSES_PENDING &&
           client->in_flight_count + (int64_t)client->queue_length <
               client->options.connections_max;
}

bool client_is_resolving(const struct client *client)
{
    return client_addresses_state(client->options.addresses) == CLIENT_ADDRESSES_PENDING;
}

size_t client_queue_length(const struct client *client)
{
    return client->queue_length;
}

/* Answers the calls whose transfers have ended. Returns whether there were any. */
static bool collect(struct client *client)
{
    struct client_answer answer;
    struct client_connection *connection;
    bool any = false;

    while ((connection = client_transfer_next_done(client->multi, &answer)) != NULL) {
        finish(client, connection, &answer);
        any = true;
    }
    return any;
}

static int64_t first_deadline_ms(const struct client *client)
{
    const struct call *call = client->in_flight_count > 0 ? client->in_flight.next->owner : NULL;
    return call == NULL ? INT64_MAX : call->deadline_ms;
}

/* Both lists are in the order of the deadlines, so only their beginnings are looked at. */
static bool expire(struct client *client, int64_t now_ms)
{
    bool any = false;

    while (first_deadline_ms(client) <= now_ms) {
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
    int64_t due_ms = earlier(client_multi_due_ms(client->multi), first_deadline_ms(client));

    if (client->queue_first != NULL)
        due_ms = earlier(due_ms, client->queue_first->deadline_ms);
    return due_ms;
}

/* Returns whether calls were answered. */
static bool proceed(struct client *client, int64_t now_ms)
{
    bool answered = collect(client);
    answered |= expire(client, now_ms);
    answered |= start_queued(client, now_ms);
    client_multi_run(client->multi);
    return answered | collect(client);
}

/* Not left to the step: whoever is answered here has their own step before them in this pass. */
static void on_event(void *context)
{
    (void)proceed(context, clock_monotonic_ms());
}

static int64_t step(void *context, int64_t now_ms)
{
    struct client *client = context;

    bool answered = proceed(client, now_ms);
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
    client->multi = client_multi_create(loop, options->connections_max, on_event, client);
    if (client->multi != NULL)
        client->pool = client_pool_create(client->multi, &client->options);
    if (client->pool == NULL) {
        client_multi_destroy(client->multi);
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
        struct client_connection *connection = client->in_flight.next;
        struct client_answer unheard = {.body = ""};
        stop_transfer(client, connection, &unheard);
        free(connection->owner);
    }
    client_pool_destroy(client->pool);
    client_multi_destroy(client->multi);
    free_calls(client->queue_first);
    free_calls(client->free_calls);
    free(client);
}
