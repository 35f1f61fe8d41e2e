/* ping_list.h - pings in the order of their arrival. The links are in the pings. One thread. */
#ifndef LOG_OUTPUT_PING_LIST_H
#define LOG_OUTPUT_PING_LIST_H

#include <stddef.h>
#include <stdint.h>

struct ping;

/* Starts zeroed. */
struct ping_list {
    struct ping *first, *last;
    int64_t count;
};

void ping_list_append(struct ping_list *list, struct ping *ping);

/* Gives the first one back, or NULL. */
struct ping *ping_list_take(struct ping_list *list);

/* Moves all of `source` in front of what is in `list`. */
void ping_list_prepend(struct ping_list *list, struct ping_list *source);

/* When the first one came, monotonic, in ns; INT64_MAX if there is none. */
int64_t ping_list_first_ns(const struct ping_list *list);

#endif
