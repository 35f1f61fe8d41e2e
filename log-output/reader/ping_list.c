#include "ping_list.h"

#include "pingpong_client.h"

void ping_list_append(struct ping_list *list, struct ping *ping)
{
    ping->next = NULL;
    if (list->last == NULL)
        list->first = ping;
    else
        list->last->next = ping;
    list->last = ping;
    list->count++;
}

struct ping *ping_list_take(struct ping_list *list)
{
    struct ping *ping = list->first;
    if (ping == NULL)
        return NULL;
    list->first = ping->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    return ping;
}

void ping_list_prepend(struct ping_list *list, struct ping_list *source)
{
    if (source->first == NULL)
        return;
    source->last->next = list->first;
    if (list->last == NULL)
        list->last = source->last;
    list->first = source->first;
    list->count += source->count;
    *source = (struct ping_list){0};
}

int64_t ping_list_first_ns(const struct ping_list *list)
{
    return list->first == NULL ? INT64_MAX : list->first->started_ns;
}
