/* http/identity.h - who gave an answer: version, commit and instance, in headers of every answer.
 *
 * Set up once, before the server starts; then any thread.
 */
#ifndef COMMON_HTTP_IDENTITY_H
#define COMMON_HTTP_IDENTITY_H

#include "attributes.h"

#include <stdbool.h>

struct cJSON;
struct http_request;

/* The headers' names, for those who ask; no prefix X-, as RFC 6648 advises. */
#define HTTP_IDENTITY_VERSION_HEADER "Log-Pong-Version"
#define HTTP_IDENTITY_COMMIT_HEADER "Log-Pong-Commit"
#define HTTP_IDENTITY_INSTANCE_HEADER "Log-Pong-Instance"

/* The three, in the order of the members below. */
#define HTTP_IDENTITY_HEADER_COUNT 3
extern const char *const http_identity_headers[HTTP_IDENTITY_HEADER_COUNT];

/* Who answered. NULL or empty: not known. */
struct http_answerer {
    const char *version;
    const char *commit;
    const char *instance;
};

/* A DNS name, as host names and names of pods are (RFC 1123), and its terminator. */
#define HTTP_IDENTITY_INSTANCE_SIZE 254

struct http_identity {
    bool shown;               /* false: no header, and /version is not found */
    struct http_answerer own; /* nothing known while it is not shown */
    char instance[HTTP_IDENTITY_INSTANCE_SIZE];
};

/* What the build says, and `instance`, or the host's name if it is NULL. Returns 0, or -1 after
 * logging that `instance` cannot stand in a header. */
MUST_CHECK int http_identity_init(struct http_identity *identity, bool shown, const char *instance);

/* Adds a member `name` with who answered, or null if that is not known. */
void http_identity_add(struct cJSON *object, const char *name, const struct http_answerer *who);

/* A handler for GET /version, whatever the context: {"version":"...","commit":"...",
 * "instance":"..."}, or 404 if it is not to be shown. */
void http_identity_handle_version(void *context, struct http_request *request);

#endif
