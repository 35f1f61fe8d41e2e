/* waiting_list.h - requests that wait, in the order in which they came. One thread.
 *
 * The links are in the requests themselves (http_request_state()), so a request is in one list at
 * a time and no list needs memory. All wait equally long, so the first has the first deadline.
 */
#ifndef PINGPONG_WAITING_LIST_H
#define PINGPONG_WAITING_LIST_H

#include "http/server.h"

#include <stdbool.h>
#include <stdint.h>

/* A request that waits. It is the request's own memory, so it ends with the request. */
struct waiting {
    struct waiting *next;
    struct http_request *request;
    int64_t deadline_ms; /* monotonic */
    int64_t numbers;     /* that it waits for, 1 or more */
    bool as_range;       /* it asked for several, though perhaps for one only */
};

/* Starts zeroed. */
struct waiting_list {
    struct waiting *first, *last;
    int64_t numbers; /* that all of them wait for */
};

/* Takes the request with what `waiting` says of it, which is copied. Its deadline is not before
 * that of any other in the list. */
void waiting_list_append(struct waiting_list *list, const struct waiting *waiting);

/* Gives the first one back, or NULL; borrowed until its request is answered. */
const struct waiting *waiting_list_take(struct waiting_list *list);

/* Moves all of `source` in front of what is in `list`. */
void waiting_list_prepend(struct waiting_list *list, struct waiting_list *source);

/* The first request's deadline, or INT64_MAX. */
int64_t waiting_list_deadline_ms(const struct waiting_list *list);

/* Answers, and so frees, the requests whose clients have gone. */
void waiting_list_drop_abandoned(struct waiting_list *list);

#endif
