/* waiting_list.h - requests that wait, in the order in which they came. One thread.
 *
 * The links are in the requests themselves (http_request_state()), so a request is in one list at
 * a time and no list needs memory. All wait equally long, so the first has the first deadline.
 */
#ifndef PINGPONG_WAITING_LIST_H
#define PINGPONG_WAITING_LIST_H

#include "http/server.h"

#include <stdint.h>

struct waiting;

/* Starts zeroed. */
struct waiting_list {
    struct waiting *first, *last;
    int64_t count;
};

/* Takes the request. `deadline_ms` is monotonic and not before that of any other in the list. */
void waiting_list_append(struct waiting_list *list, struct http_request *request,
                         int64_t deadline_ms);

/* Gives the first request back, or NULL. */
struct http_request *waiting_list_take(struct waiting_list *list);

/* Moves all of `source` in front of what is in `list`. */
void waiting_list_prepend(struct waiting_list *list, struct waiting_list *source);

/* The first request's deadline, or INT64_MAX. */
int64_t waiting_list_deadline_ms(const struct waiting_list *list);

/* Answers, and so frees, the requests whose clients have gone. */
void waiting_list_drop_abandoned(struct waiting_list *list);

#endif
