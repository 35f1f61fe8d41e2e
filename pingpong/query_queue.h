/* query_queue.h - which queries are under way on a pipeline, oldest first. One thread. */
#ifndef PINGPONG_QUERY_QUEUE_H
#define PINGPONG_QUERY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

enum query { QUERY_BATCH, QUERY_READ, QUERY_CHECK, QUERY_TOUCH };

/* At most one of each kind, which the caller sees to. */
#define QUERY_QUEUE_MAX 4

struct query_queue {
    struct {
        enum query query;
        int64_t sent_ms;
    } entries[QUERY_QUEUE_MAX];
    int count;
};

static inline bool query_queue_is_empty(const struct query_queue *queue)
{
    return queue->count == 0;
}

static inline bool query_queue_has(const struct query_queue *queue, enum query query)
{
    for (int i = 0; i < queue->count; i++)
        if (queue->entries[i].query == query)
            return true;
    return false;
}

static inline void query_queue_push(struct query_queue *queue, enum query query, int64_t now_ms)
{
    queue->entries[queue->count].query = query;
    queue->entries[queue->count].sent_ms = now_ms;
    queue->count++;
}

/* When the oldest was sent; only if the queue is not empty. */
static inline int64_t query_queue_oldest_ms(const struct query_queue *queue)
{
    return queue->entries[0].sent_ms;
}

/* Takes the oldest out; only if the queue is not empty. */
static inline enum query query_queue_pop(struct query_queue *queue)
{
    enum query oldest = queue->entries[0].query;
    queue->count--;
    for (int i = 0; i < queue->count; i++)
        queue->entries[i] = queue->entries[i + 1];
    return oldest;
}

static inline void query_queue_clear(struct query_queue *queue)
{
    queue->count = 0;
}

#endif
