/* http/settings.h - the settings that both daemons have, as rows for their tables. */
#ifndef COMMON_HTTP_SETTINGS_H
#define COMMON_HTTP_SETTINGS_H

#include "../settings.h"
#include "http/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_settings {
    int64_t port;
    int64_t connections_max;
    int64_t connection_bytes;
    int64_t idle_timeout_ms;
    int64_t request_timeout_ms;
    int64_t drain_ms;
    int log_level; /* enum log_level */
    bool access_log;
    bool show_identity;
    const char *pod_name; /* NULL: the host's name */
};

/* The server's options; all borrowed. */
struct http_server_options http_settings_server_options(const struct http_settings *settings,
                                                        const struct http_route *routes,
                                                        size_t route_count, void *context);

/* A server that closes a connection just as a proxy sends its next request on it makes the proxy
 * answer 502. So the default of HTTP_IDLE_TIMEOUT_MS is longer than what the manuals of the usual
 * ones give: nginx "keepalive_timeout" of upstreams, AWS "idle timeout" of an ALB, Traefik
 * "idleConnTimeout", Google's fixed time for backends, Azure's Front Door, Envoy's "idle_timeout".
 * Idle connections make room for new ones, so it keeps nobody out.
 *
 * Rows for a struct that has a struct http_settings as its member `http`. */
#define HTTP_SETTINGS_ROWS(owner, default_port)                                                   \
    {.name = "PORT",                                                                              \
     .type = SETTING_INTEGER,                                                                     \
     .offset = offsetof(owner, http.port),                                                        \
     .default_value = default_port,                                                               \
     .minimum = 0,                                                                                \
     .maximum = 65535,                                                                            \
     .help = "TCP port to listen on, on all addresses; 0 takes a free one."},                     \
        {.name = "HTTP_CONNECTIONS_MAX",                                                          \
         .type = SETTING_INTEGER,                                                                 \
         .offset = offsetof(owner, http.connections_max),                                         \
         .default_value = "4096",                                                                 \
         .minimum = 8,                                                                            \
         .maximum = 100000,                                                                       \
         .help = "Open connections; over it the one idle longest is closed."},                    \
        {.name = "HTTP_CONNECTION_BYTES",                                                         \
         .type = SETTING_INTEGER,                                                                 \
         .offset = offsetof(owner, http.connection_bytes),                                        \
         .default_value = "15360",                                                                \
         .minimum = 4096,                                                                         \
         .maximum = 65536,                                                                        \
         .help = "Memory of each connection: a request's head with 64 bytes for each field, "     \
                 "cookie and argument, cookies twice, and 1.3 KB for the answer's head have to "  \
                 "find room in it."},                                                             \
        {.name = "HTTP_IDLE_TIMEOUT_MS",                                                          \
         .type = SETTING_INTEGER,                                                                 \
         .offset = offsetof(owner, http.idle_timeout_ms),                                         \
         .default_value = "3660000",                                                              \
         .minimum = 1000,                                                                         \
         .maximum = 86400000,                                                                     \
         .help = "Time a connection may be silent between two requests; keep it above that for "  \
                 "which what is in front reuses its connections: by default nginx and AWS's ALB " \
                 "60 s, Traefik 90 s, Google's balancers 600 s, Azure's up to 1800 s, Envoy and " \
                 "Istio 3600 s."},                                                                \
        {.name = "HTTP_REQUEST_TIMEOUT_MS",                                                       \
         .type = SETTING_INTEGER,                                                                 \
         .offset = offsetof(owner, http.request_timeout_ms),                                      \
         .default_value = "10000",                                                                \
         .minimum = 1000,                                                                         \
         .maximum = 600000,                                                                       \
         .help = "Time for sending a request's head, for sending its body, and for taking its "   \
                 "answer, each; a connection that takes longer is closed."},                      \
        {.name = "DRAIN_MS",                                                                      \
         .type = SETTING_INTEGER,                                                                 \
         .offset = offsetof(owner, http.drain_ms),                                                \
         .default_value = "5000",                                                                 \
         .minimum = 0,                                                                            \
         .maximum = 300000,                                                                       \
         .help = "Time after SIGTERM or SIGINT in which requests are still served."},             \
        {.name = "LOG_LEVEL",                                                                     \
         .type = SETTING_CHOICE,                                                                  \
         .offset = offsetof(owner, http.log_level),                                               \
         .default_value = "info",                                                                 \
         .choices = "debug info warning error",                                                   \
         .help = "Least level of the lines that are logged."},                                    \
        {.name = "ACCESS_LOG",                                                                    \
         .type = SETTING_BOOLEAN,                                                                 \
         .offset = offsetof(owner, http.access_log),                                              \
         .default_value = "false",                                                                \
         .help = "Log a line for each request."},                                                 \
        {.name = "SHOW_IDENTITY",                                                                 \
         .type = SETTING_BOOLEAN,                                                                 \
         .offset = offsetof(owner, http.show_identity),                                           \
         .default_value = "true",                                                                 \
         .help = "Whether GET /version, and each answer in its headers, says which version, "     \
                 "commit and instance answered."},                                                \
    {                                                                                             \
        .name = "POD_NAME", .type = SETTING_STRING, .offset = offsetof(owner, http.pod_name),     \
        .default_value = NULL, .help = "This instance's name; otherwise it is the host's."        \
    }

#endif
