#include "waiting_list.h"

#include <assert.h>

static_assert(sizeof(struct waiting) <= HTTP_REQUEST_STATE_BYTES, "fits into a request");

static void append(struct waiting_list *list, struct waiting *waiting)
{
    waiting->next = NULL;
    if (list->last == NULL)
        list->first = waiting;
    else
        list->last->next = waiting;
    list->last = waiting;
    list->numbers += waiting->numbers;
}

void waiting_list_append(struct waiting_list *list, const struct waiting *waiting)
{
    struct waiting *kept = http_request_state(waiting->request);
    *kept = *waiting;
    append(list, kept);
}

const struct waiting *waiting_list_take(struct waiting_list *list)
{
    struct waiting *waiting = list->first;
    if (waiting == NULL)
        return NULL;
    list->first = waiting->next;
    if (list->first == NULL)
        list->last = NULL;
    list->numbers -= waiting->numbers;
    return waiting;
}

void waiting_list_prepend(struct waiting_list *list, struct waiting_list *source)
{
    if (source->first == NULL)
        return;
    source->last->next = list->first;
    if (list->last == NULL)
        list->last = source->last;
    list->first = source->first;
    list->numbers += source->numbers;
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
