#include "http/speculation.h"

#include <stddef.h>
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

bool http_refuse_speculation(struct http_request *request)
{
    static const char *const headers[] = {"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"};

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (is_speculative(http_request_header(request, headers[i]))) {
            http_respond_error(request, 403, "not ahead of a view: this would count");
            return true;
        }
    return false;
}
