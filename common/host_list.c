#include "host_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whether `accepts` says so of every item. */
static bool accept_each(const char *text, bool (*accepts)(const char *item, size_t length))
{
    for (;;) {
        size_t length = strcspn(text, ",");
        if (!accepts(text, length))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool is_host(const char *item, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (isspace((unsigned char)item[i]))
            return false;
    return length > 0;
}

static bool is_port(const char *item, size_t length)
{
    long value = 0;

    if (length == 0 || length >= HOST_LIST_PORT_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (item[i] < '0' || item[i] > '9')
            return false;
        value = value * 10 + (item[i] - '0');
    }
    return value >= 1 && value <= 65535;
}

bool host_list_accepts_hosts(const char *text)
{
    return accept_each(text, is_host);
}

bool host_list_accepts_ports(const char *text)
{
    return accept_each(text, is_port);
}

bool host_is_directory(const struct host *host)
{
    /* libpq's rule; a name that begins with @ is in the abstract namespace. */
    return host->name[0] == '/' || host->name[0] == '@';
}

static int count_items(const char *text)
{
    int count = 1;
    for (; *text != '\0'; text++)
        count += *text == ',';
    return count;
}

/* The item that `*text` begins with; moves `*text` behind it, unless it is the last. */
static const char *next_item(const char **text, size_t *length)
{
    const char *item = *text;

    *length = strcspn(item, ",");
    if (item[*length] == ',')
        *text += *length + 1;
    return item;
}

int host_list_parse(struct host_list *list, const char *hosts, const char *ports)
{
    int count = count_items(hosts), port_count = count_items(ports);
    size_t length;

    *list = (struct host_list){0};
    if (port_count != 1 && port_count != count) {
        errno = EINVAL;
        return -1;
    }
    list->hosts = calloc((size_t)count, sizeof *list->hosts);
    if (list->hosts == NULL)
        return -1;
    for (; list->count < count; list->count++) {
        struct host *host = &list->hosts[list->count];
        const char *port = next_item(&ports, &length);
        memcpy(host->port, port, length);
        const char *name = next_item(&hosts, &length);
        host->name = strndup(name, length);
        if (host->name == NULL) {
            host_list_free(list);
            errno = ENOMEM;
            return -1;
        }
    }
    return 0;
}

void host_list_free(struct host_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->hosts[i].name);
    free(list->hosts);
    *list = (struct host_list){0};
}
