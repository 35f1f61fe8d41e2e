/* pingpong_client_internal.h - what pingpong_client.c and ping_batch.c share; for no one else. */
#ifndef LOG_OUTPUT_PINGPONG_CLIENT_INTERNAL_H
#define LOG_OUTPUT_PINGPONG_CLIENT_INTERNAL_H

#include "metrics.h"
#include "ping_list.h"
#include "pingpong_client.h"

#include <stdbool.h>
#include <stdint.h>

/* Pings that are asked for together. */
struct ping_batch {
    struct ping_batch *previous, *next;
    struct pingpong_client *client;
    struct ping_list pings; /* not answered yet */
    int64_t count;          /* asked for */
    int64_t expired;        /* answered already, the first ones */
    int64_t sent_ms;
    int64_t due_ms; /* when it is asked for again */
    bool is_alone;  /* asked for as a single ping */
    bool is_traced;
    char body[32];
};

struct pingpong_client {
    struct pingpong_client_options options;
    struct client *upstream;
    char several_url[CLIENT_URL_SIZE]; /* empty: there is none */
    int64_t several_again_ms;
    int64_t batch_max; /* at present: less after one that was too much */

    struct ping_list waiting, traced;     /* not asked for */
    struct ping_batch under_way, delayed; /* heads of lists */
    struct ping_batch *free_batches;

    uint64_t results[CLIENT_RESULT_COUNT];
    uint64_t repeated;
    struct histogram batch_sizes;
    struct histogram duration;
};

/* Answers, and forgets, a ping, or all of a list. */
void pingpong_client_answer(struct pingpong_client *client, struct ping *ping,
                            const struct pong *pong);
void pingpong_client_answer_all(struct pingpong_client *client, struct ping_list *pings,
                                const struct pong *pong);

/* Sends requests for pings that wait, as many as may be sent now. */
void ping_batch_ask_for_waiting(struct pingpong_client *client, int64_t now_ms);

/* When the next request for waiting views may be sent: at once, or when one that is under way does
 * not count any more. */
int64_t ping_batch_free_ms(const struct pingpong_client *client, int64_t now_ms);

/* Puts those that are to be asked for once more in front of those that wait. */
void ping_batch_wake_delayed(struct pingpong_client *client, int64_t now_ms);

/* Frees all of a list, with its pings' headers. */
void ping_batch_free_list(struct ping_batch *head);

#endif
