/* http/identity.h - who gave an answer: version, commit and instance, in headers of every answer.
 *
 * Set up once, before the server starts; then any thread.
 */
#ifndef COMMON_HTTP_IDENTITY_H
#define COMMON_HTTP_IDENTITY_H

#include "attributes.h"

#include <stdbool.h>

struct http_request;

/* The headers' names, for those who ask; no prefix X-, as RFC 6648 advises. */
#define HTTP_IDENTITY_VERSION_HEADER "Log-Pong-Version"
#define HTTP_IDENTITY_COMMIT_HEADER "Log-Pong-Commit"
#define HTTP_IDENTITY_INSTANCE_HEADER "Log-Pong-Instance"

/* A DNS name, as host names and names of pods are (RFC 1123), and its terminator. */
#define HTTP_IDENTITY_INSTANCE_SIZE 254

struct http_identity {
    bool shown; /* false: no header, and /version is not found; the rest is as always */
    const char *version;
    const char *commit;
    char instance[HTTP_IDENTITY_INSTANCE_SIZE];
};

/* What the build says, and `instance`, or the host's name if it is NULL. Returns 0, or -1 after
 * logging that `instance` cannot stand in a header. */
MUST_CHECK int http_identity_init(struct http_identity *identity, bool shown, const char *instance);

/* A handler for GET /version, whatever the context: {"version":"...","commit":"...",
 * "instance":"..."}, or 404 if it is not to be shown. */
void http_identity_handle_version(void *context, struct http_request *request);

#endif
