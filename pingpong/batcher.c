#include "batcher.h"

#include "clock.h"
#include "metrics.h"
#include "pacer.h"
#include "waiting_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const double size_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

enum failure { QUEUE_FULL, TIMED_OUT, OUTCOME_UNKNOWN, EXHAUSTED, FAILURES };

static const char *const failure_labels[FAILURES] = {"reason=\"queue_full\"", "reason=\"timeout\"",
                                                     "reason=\"unknown\"", "reason=\"exhausted\""};
static const char *const failure_messages[FAILURES] = {
    "too many requests are waiting; this one was not counted",
    "the database did not answer in time; this ping was not counted",
    "the database did not answer in time; this ping may have been counted",
    "the counter has reached its end, 9223372036854775807; this ping was not counted"};
static const char *const failure_messages_several[FAILURES] = {
    "too many requests are waiting; these pings were not counted",
    "the database did not answer in time; these pings were not counted",
    "the database did not answer in time; these pings may have been counted, all or none",
    "the counter would go beyond its end, 9223372036854775807; these pings were not counted"};
static const char *const outcome_labels[] = {"outcome=\"committed\"", "outcome=\"repeated\"",
                                             "outcome=\"abandoned\""};

struct batcher {
    struct database *database;
    struct batcher_options options;

    struct waiting_list pings; /* not sent */
    struct waiting_list batch; /* sent, and still waiting for their numbers */
    int64_t batch_size;        /* in pings; 0: none under way */
    int64_t batch_expired;     /* pings of it that were answered already, the first ones */
    int64_t batch_sent_ns;
    struct pacer pacer;
    struct waiting_list counts;  /* readings not sent */
    struct waiting_list reading; /* sent */

    uint64_t acknowledged;
    uint64_t failed[FAILURES];
    uint64_t recovered[3]; /* by enum ledger_outcome */
    struct histogram batch_sizes;
    struct histogram commit_seconds;
};

/* Writes `text` and the number so that they end at `end`, and returns where they begin: without
 * the cost of printf() on the path that every ping takes. */
static char *prepend(char *end, const char *text, int64_t number)
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t length = strlen(text);

    do
        *--end = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0)
        *--end = '-';
    memcpy(end - length, text, length);
    return end - length;
}

/* {"pong":N} */
static void answer_number(struct http_request *request, int64_t number)
{
    char body[48];
    char *end = body + sizeof body;

    *--end = '}';
    char *begin = prepend(end, "{\"pong\":", number);
    http_respond(request, 200, "application/json", begin, (size_t)(end + 1 - begin));
}

/* {"first":A,"last":B} */
static void answer_range(struct http_request *request, int64_t first, int64_t last)
{
    char body[80];
    char *end = body + sizeof body;

    *--end = '}';
    char *begin = prepend(prepend(end, ",\"last\":", last), "{\"first\":", first);
    http_respond(request, 200, "application/json", begin, (size_t)(end + 1 - begin));
}

static void fail(struct batcher *batcher, const struct waiting *waiting, enum failure failure)
{
    batcher->failed[failure] += (uint64_t)waiting->numbers;
    http_respond_error(waiting->request, 503,
                       (waiting->as_range ? failure_messages_several : failure_messages)[failure]);
}

static int64_t numbers_waited_for(const struct batcher *batcher)
{
    return batcher->pings.numbers + batcher->batch.numbers + batcher->counts.numbers +
           batcher->reading.numbers;
}

static void enqueue(struct batcher *batcher, struct waiting_list *list, struct waiting new)
{
    if (new.numbers > batcher->options.queue_max - numbers_waited_for(batcher)) {
        fail(batcher, &new, QUEUE_FULL);
        return;
    }
    new.deadline_ms = clock_monotonic_ms() + batcher->options.timeout_ms;
    waiting_list_append(list, &new);
}

void batcher_ping(struct batcher *batcher, struct http_request *request)
{
    enqueue(batcher, &batcher->pings, (struct waiting){.request = request, .numbers = 1});
}

void batcher_ping_several(struct batcher *batcher, struct http_request *request, int64_t count)
{
    enqueue(batcher, &batcher->pings,
            (struct waiting){.request = request, .numbers = count, .as_range = true});
}

void batcher_read_count(struct batcher *batcher, struct http_request *request)
{
    enqueue(batcher, &batcher->counts, (struct waiting){.request = request, .numbers = 1});
}

static void send_batch(struct batcher *batcher);

/* The batch's last number is `count`. What has come meanwhile is sent first, if the pacer lets it:
 * the database works on it while the answers of this batch are written, which takes longer than a
 * commit when they are many. */
static void settle(struct batcher *batcher, int64_t count, int64_t now_ns)
{
    struct waiting_list answered = batcher->batch;
    int64_t number = count - batcher->batch_size + batcher->batch_expired;
    int64_t pings = answered.numbers, waited_ns = 0;
    const struct waiting *waiting;

    batcher->batch = (struct waiting_list){0};
    batcher->batch_size = 0;
    send_batch(batcher);
    batcher->acknowledged += (uint64_t)pings;
    while ((waiting = waiting_list_take(&answered)) != NULL) {
        waited_ns += waiting->numbers * (now_ns - http_request_started_ns(waiting->request));
        int64_t first = number + 1;
        number += waiting->numbers;
        if (waiting->as_range)
            answer_range(waiting->request, first, number);
        else
            answer_number(waiting->request, number);
    }
    pacer_observe(&batcher->pacer, now_ns, pings, waited_ns);
}

static void on_batch_committed(void *context, int64_t count)
{
    struct batcher *batcher = context;
    int64_t now_ns = clock_monotonic_ns();
    int64_t took_ns = now_ns - batcher->batch_sent_ns;

    histogram_observe(&batcher->commit_seconds, (double)took_ns / 1e9);
    pacer_committed(&batcher->pacer, now_ns, took_ns,
                    batcher->batch.numbers + batcher->pings.numbers);
    settle(batcher, count, now_ns);
}

static void on_batch_resolved(void *context, enum ledger_outcome outcome, int64_t count)
{
    struct batcher *batcher = context;
    const struct waiting *waiting;

    batcher->recovered[outcome]++;
    if (outcome == LEDGER_COMMITTED) {
        settle(batcher, count, clock_monotonic_ns());
        return;
    }
    batcher->batch_size = 0;
    if (outcome == LEDGER_NOT_COMMITTED) {
        waiting_list_prepend(&batcher->pings, &batcher->batch);
    } else {
        while ((waiting = waiting_list_take(&batcher->batch)) != NULL)
            fail(batcher, waiting, OUTCOME_UNKNOWN);
    }
}

static void on_count_read(void *context, int64_t count)
{
    struct batcher *batcher = context;
    const struct waiting *waiting;

    while ((waiting = waiting_list_take(&batcher->reading)) != NULL)
        answer_number(waiting->request, count);
}

static void on_read_lost(void *context)
{
    struct batcher *batcher = context;
    waiting_list_prepend(&batcher->counts, &batcher->reading);
}

const struct database_callbacks batcher_database_callbacks = {
    .batch_committed = on_batch_committed,
    .batch_resolved = on_batch_resolved,
    .count_read = on_count_read,
    .read_lost = on_read_lost,
};

/* Answers those whose time is up. Returns how many numbers they waited for. */
static int64_t expire(struct batcher *batcher, struct waiting_list *list, int64_t now_ms,
                      enum failure failure)
{
    int64_t before = list->numbers;
    while (waiting_list_deadline_ms(list) <= now_ms)
        fail(batcher, waiting_list_take(list), failure);
    return before - list->numbers;
}

static int64_t expire_readings(struct waiting_list *list, int64_t now_ms)
{
    int64_t before = list->numbers;
    while (waiting_list_deadline_ms(list) <= now_ms)
        http_respond_error(waiting_list_take(list)->request, 503,
                           "the database did not answer in time");
    return before - list->numbers;
}

static int64_t expire_all(struct batcher *batcher, int64_t now_ms)
{
    int64_t sent = expire(batcher, &batcher->batch, now_ms, OUTCOME_UNKNOWN);
    batcher->batch_expired += sent;
    return sent + expire(batcher, &batcher->pings, now_ms, TIMED_OUT) +
           expire_readings(&batcher->counts, now_ms) + expire_readings(&batcher->reading, now_ms);
}

static bool can_send_batch(const struct batcher *batcher)
{
    return batcher->pings.numbers > 0 && batcher->batch_size == 0 &&
           database_can_send_batch(batcher->database);
}

/* Takes those out for which the counter has no number left. Returns whether there were any. */
static bool refuse_exhausted(struct batcher *batcher)
{
    struct waiting_list waiting = batcher->pings;
    int64_t room = database_room(batcher->database);
    const struct waiting *next;

    if (waiting.numbers <= room)
        return false;
    batcher->pings = (struct waiting_list){0};
    while ((next = waiting_list_take(&waiting)) != NULL) {
        if (batcher->pings.numbers + next->numbers <= room)
            waiting_list_append(&batcher->pings, next);
        else
            fail(batcher, next, EXHAUSTED);
    }
    return true;
}

static void send_batch(struct batcher *batcher)
{
    if (!can_send_batch(batcher))
        return;
    int64_t now_ns = clock_monotonic_ns();
    if (pacer_holds(&batcher->pacer, now_ns, batcher->pings.numbers))
        return;
    /* Nobody would hear the numbers of those who have left. */
    waiting_list_drop_abandoned(&batcher->pings);
    if (batcher->pings.numbers == 0)
        return;
    waiting_list_prepend(&batcher->batch, &batcher->pings);
    batcher->batch_size = batcher->batch.numbers;
    batcher->batch_expired = 0;
    batcher->batch_sent_ns = now_ns;
    histogram_observe(&batcher->batch_sizes, (double)batcher->batch_size);
    pacer_sent(&batcher->pacer);
    database_send_batch(batcher->database, batcher->batch_size);
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the next deadline, or the end of a hold, is due. */
static int64_t next_ms(const struct batcher *batcher)
{
    int64_t pings_ms = earliest(waiting_list_deadline_ms(&batcher->pings),
                                waiting_list_deadline_ms(&batcher->batch));
    int64_t counts_ms = earliest(waiting_list_deadline_ms(&batcher->counts),
                                 waiting_list_deadline_ms(&batcher->reading));
    int64_t hold_ms = can_send_batch(batcher) ? pacer_hold_ms(&batcher->pacer) : INT64_MAX;

    return earliest(earliest(pings_ms, counts_ms), hold_ms);
}

static int64_t step(void *context, int64_t now_ms)
{
    struct batcher *batcher = context;

    bool answered = expire_all(batcher, now_ms) > 0;
    if (can_send_batch(batcher))
        answered |= refuse_exhausted(batcher);
    send_batch(batcher);
    if (batcher->counts.numbers > 0 && database_can_read(batcher->database)) {
        waiting_list_prepend(&batcher->reading, &batcher->counts);
        database_read(batcher->database);
    }
    /* Answers made here are for the HTTP server's step, which has run before. */
    if (answered)
        return now_ms;
    return next_ms(batcher);
}

int batcher_create(struct batcher **created, struct event_loop *loop,
                   const struct batcher_options *options)
{
    struct batcher *batcher = calloc(1, sizeof *batcher);
    if (batcher == NULL)
        return -1;
    batcher->options = *options;
    pacer_init(&batcher->pacer);
    batcher->batch_sizes.bounds = size_bounds;
    batcher->batch_sizes.bound_count = sizeof size_bounds / sizeof size_bounds[0];
    batcher->commit_seconds.bounds = histogram_seconds_bounds;
    batcher->commit_seconds.bound_count = histogram_seconds_bound_count;
    event_loop_add_step(loop, step, batcher);
    *created = batcher;
    return 0;
}

void batcher_use(struct batcher *batcher, struct database *database)
{
    batcher->database = database;
}

void batcher_destroy(struct batcher *batcher)
{
    free(batcher);
}

void batcher_write_metrics(const struct batcher *batcher, FILE *out)
{
    metrics_write_counter(out, "pingpong_pings_total", "Pings counted and acknowledged.",
                          batcher->acknowledged);
    metrics_write_header(out, "pingpong_pings_failed_total", "counter",
                         "Pings that got no number, by reason.");
    for (int i = 0; i < FAILURES; i++)
        metrics_write_sample(out, "pingpong_pings_failed_total", failure_labels[i],
                             (double)batcher->failed[i]);
    metrics_write_header(out, "pingpong_recovered_batches_total", "counter",
                         "Batches whose connection was lost, by what had become of them.");
    for (int i = 0; i < 3; i++)
        metrics_write_sample(out, "pingpong_recovered_batches_total", outcome_labels[i],
                             (double)batcher->recovered[i]);
    metrics_write_header(out, "pingpong_batch_size", "histogram", "Pings in one transaction.");
    metrics_write_histogram(out, "pingpong_batch_size", NULL, &batcher->batch_sizes);
    metrics_write_header(out, "pingpong_commit_duration_seconds", "histogram",
                         "Time from sending a batch to hearing that it is committed.");
    metrics_write_histogram(out, "pingpong_commit_duration_seconds", NULL,
                            &batcher->commit_seconds);
    metrics_write_gauge(out, "pingpong_batch_holding",
                        "1 while a batch may be held back a moment for more pings.",
                        batcher->pacer.holding ? 1 : 0);
    metrics_write_gauge(out, "pingpong_queue_length",
                        "Pings and readings waiting for the database, under way ones included.",
                        (double)numbers_waited_for(batcher));
}
