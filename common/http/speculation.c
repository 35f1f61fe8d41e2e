#include "http/speculation.h"

#include "http/internal.h"

#include <string.h>
#include <strings.h>

static bool is_speculative(const char *value)
{
    static const char *const purposes[] = {"prefetch", "prerender", "preview"};

    if (value == NULL)
        return false;
    /* What follows are parameters, or other purposes. */
    size_t length = strcspn(value, ";, \t");
    for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
        if (strlen(purposes[i]) == length && strncasecmp(purposes[i], value, length) == 0)
            return true;
    return false;
}

static enum MHD_Result look_at(void *context, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    static const char *const headers[] = {"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"};
    bool *speculative = context;

    (void)kind;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (strcasecmp(name, headers[i]) == 0 && is_speculative(value))
            *speculative = true;
    return *speculative ? MHD_NO : MHD_YES;
}

bool http_refuse_speculation(struct http_request *request)
{
    bool speculative = false;

    /* One look at all headers, which are few, costs less than looking for each. */
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_at, &speculative);
    if (speculative)
        http_respond_error(request, 403, "not ahead of a view: this would count");
    return speculative;
}
