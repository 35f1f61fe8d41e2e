#include "waiting_list.h"

#include <assert.h>

struct waiting {
    struct waiting *next;
    struct http_request *request;
    int64_t deadline_ms;
};

static_assert(sizeof(struct waiting) <= HTTP_REQUEST_STATE_BYTES, "fits into a request");

static void append(struct waiting_list *list, struct waiting *waiting)
{
    waiting->next = NULL;
    if (list->last == NULL)
        list->first = waiting;
    else
        list->last->next = waiting;
    list->last = waiting;
    list->count++;
}

void waiting_list_append(struct waiting_list *list, struct http_request *request,
                         int64_t deadline_ms)
{
    struct waiting *waiting = http_request_state(request);
    waiting->request = request;
    waiting->deadline_ms = deadline_ms;
    append(list, waiting);
}

struct http_request *waiting_list_take(struct waiting_list *list)
{
    struct waiting *waiting = list->first;
    if (waiting == NULL)
        return NULL;
    list->first = waiting->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    return waiting->request;
}

void waiting_list_prepend(struct waiting_list *list, struct waiting_list *source)
{
    if (source->first == NULL)
        return;
    source->last->next = list->first;
    if (list->last == NULL)
        list->last = source->last;
    list->first = source->first;
    list->count += source->count;
    *source = (struct waiting_list){0};
}

int64_t waiting_list_deadline_ms(const struct waiting_list *list)
{
    return list->first == NULL ? INT64_MAX : list->first->deadline_ms;
}

void waiting_list_drop_abandoned(struct waiting_list *list)
{
    struct waiting *waiting = list->first;

    *list = (struct waiting_list){0};
    while (waiting != NULL) {
        struct waiting *next = waiting->next;
        if (http_request_is_abandoned(waiting->request))
            http_respond_text(waiting->request, 503, "");
        else
            append(list, waiting);
        waiting = next;
    }
}
