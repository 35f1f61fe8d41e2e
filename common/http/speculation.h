/* http/speculation.h - requests that a browser makes ahead of a view that may never come. */
#ifndef COMMON_HTTP_SPECULATION_H
#define COMMON_HTTP_SPECULATION_H

#include "attributes.h"
#include "http/server.h"

#include <stdbool.h>

/* For handlers whose answer counts something. If the request is a prefetch or a prerender it is
 * answered with 403, which makes a browser throw the attempt away and ask anew when the view does
 * come (it does so for any status that is no success), and true is returned: the request is done
 * with. No 503, as that would look like a failing service to whoever watches the rate of errors.
 *
 * Known by Sec-Purpose (Fetch standard, "prefetch" with or without parameters as ";prerender"), by
 * its forerunners Purpose (Chromium and Safari: "prefetch", "preview") and X-Purpose (Safari), and
 * by X-Moz (Firefox: "prefetch"). */
MUST_CHECK bool http_refuse_speculation(struct http_request *request);

#endif
