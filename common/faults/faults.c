#include "faults/faults.h"

#include "clock.h"
#include "faults/burner.h"
#include "log.h"
#include "metrics.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEAK_INTERVAL_MS 100

enum fault { FAULT_ERROR, FAULT_DELAY, FAULT_UNREADY, FAULT_KINDS };

static const char *const fault_labels[FAULT_KINDS] = {"fault=\"error\"", "fault=\"delay\"",
                                                      "fault=\"not_ready\""};

/* A request that is held back: in its own state. */
struct delayed {
    struct delayed *next;
    struct http_request *request;
    http_handler *handler;
    void *context;
    int64_t due_ms;
};

_Static_assert(sizeof(struct delayed) <= HTTP_REQUEST_STATE_BYTES, "it has to fit in a request");

/* What is leaked stays in a list: so that it is the fault that is seen, and no leak of ours. */
struct leaked {
    struct leaked *next;
    unsigned char bytes[];
};

struct faults {
    const struct fault_settings *settings;
    unsigned short random[3];
    struct burner *burner;
    struct delayed *first, *last; /* all wait equally long */
    int64_t crash_ms;             /* INT64_MAX: never */
    int64_t leak_ms;              /* the next one is due; INT64_MAX: never */
    struct leaked *leaked;
    uint64_t leaked_bytes;
    uint64_t injected[FAULT_KINDS];
};

static bool happens(struct faults *faults, double share)
{
    return share > 0 && erand48(faults->random) < share;
}

static void hold_back(struct faults *faults, struct http_request *request, http_handler *handler,
                      void *context)
{
    struct delayed *delayed = http_request_state(request);

    *delayed = (struct delayed){.request = request,
                                .handler = handler,
                                .context = context,
                                .due_ms = clock_monotonic_ms() + faults->settings->delay_ms};
    if (faults->last == NULL)
        faults->first = delayed;
    else
        faults->last->next = delayed;
    faults->last = delayed;
}

void faults_pass(struct faults *faults, struct http_request *request, http_handler *handler,
                 void *context)
{
    const struct fault_settings *settings = faults->settings;

    if (happens(faults, settings->error_share)) {
        faults->injected[FAULT_ERROR]++;
        http_respond_error(request, 503, "a fault on purpose; this ping was not counted");
    } else if (settings->delay_ms > 0 && happens(faults, settings->delay_share)) {
        faults->injected[FAULT_DELAY]++;
        hold_back(faults, request, handler, context);
    } else {
        handler(context, request);
    }
}

/* Hands on what has waited long enough. Returns whether there was any. */
static bool release(struct faults *faults, int64_t now_ms)
{
    bool any = false;

    while (faults->first != NULL && faults->first->due_ms <= now_ms) {
        struct delayed delayed = *faults->first;
        memset(faults->first, 0, sizeof delayed);
        faults->first = delayed.next;
        if (faults->first == NULL)
            faults->last = NULL;
        /* The headers of one whose client has left are gone. */
        if (http_request_is_abandoned(delayed.request))
            http_respond_text(delayed.request, 503, "");
        else
            delayed.handler(delayed.context, delayed.request);
        any = true;
    }
    return any;
}

static void leak(struct faults *faults)
{
    size_t size = (size_t)faults->settings->leak_bytes_per_s * LEAK_INTERVAL_MS / 1000;
    struct leaked *leaked = malloc(sizeof *leaked + size);

    if (leaked == NULL)
        return;
    /* Memory that was never written to does not count as used. */
    memset(leaked->bytes, 0x5a, size);
    leaked->next = faults->leaked;
    faults->leaked = leaked;
    faults->leaked_bytes += size;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t step(void *context, int64_t now_ms)
{
    struct faults *faults = context;

    if (now_ms >= faults->crash_ms) {
        log_error("a fault on purpose: crashing", NULL);
        abort();
    }
    if (now_ms >= faults->leak_ms) {
        leak(faults);
        faults->leak_ms = now_ms + LEAK_INTERVAL_MS;
    }
    /* What was handed on may have been answered, which the server's step has yet to send. */
    if (release(faults, now_ms))
        return now_ms;
    int64_t due_ms = faults->first == NULL ? INT64_MAX : faults->first->due_ms;
    return earlier(due_ms, earlier(faults->crash_ms, faults->leak_ms));
}

int faults_create(struct faults **created, struct event_loop *loop,
                  const struct fault_settings *settings)
{
    struct faults *faults = calloc(1, sizeof *faults);
    if (faults == NULL)
        return -1;
    int64_t now_ms = clock_monotonic_ms(), now_ns = clock_monotonic_ns();

    faults->settings = settings;
    memcpy(faults->random, &now_ns, sizeof faults->random);
    faults->crash_ms = settings->crash_after_ms > 0 ? now_ms + settings->crash_after_ms : INT64_MAX;
    faults->leak_ms = settings->leak_bytes_per_s > 0 ? now_ms : INT64_MAX;
    if (settings->cpu_share > 0 && burner_create(&faults->burner, settings->cpu_share) != 0) {
        free(faults);
        return -1;
    }
    event_loop_add_step(loop, step, faults);
    *created = faults;
    return 0;
}

void faults_destroy(struct faults *faults)
{
    if (faults == NULL)
        return;
    burner_destroy(faults->burner);
    while (faults->leaked != NULL) {
        struct leaked *next = faults->leaked->next;
        free(faults->leaked);
        faults->leaked = next;
    }
    free(faults);
}

bool faults_are_unready(struct faults *faults)
{
    faults->injected[FAULT_UNREADY] += faults->settings->not_ready;
    return faults->settings->not_ready;
}

void faults_write_metrics(const struct faults *faults, FILE *out)
{
    if (!faults->settings->allowed)
        return;
    metrics_write_header(out, "faults_injected_total", "counter",
                         "Requests that a fault on purpose has met, by fault.");
    for (int i = 0; i < FAULT_KINDS; i++)
        metrics_write_sample(out, "faults_injected_total", fault_labels[i],
                             (double)faults->injected[i]);
    metrics_write_gauge(out, "faults_leaked_bytes", "Memory that was leaked on purpose.",
                        (double)faults->leaked_bytes);
}
