#include "http/settings.h"

struct http_server_options http_settings_server_options(const struct http_settings *settings,
                                                        const struct http_route *routes,
                                                        size_t route_count, void *context)
{
    return (struct http_server_options){
        .port = (uint16_t)settings->port,
        .connections_max = settings->connections_max,
        .connection_bytes = (size_t)settings->connection_bytes,
        .idle_timeout_ms = settings->idle_timeout_ms,
        .request_timeout_ms = settings->request_timeout_ms,
        .access_log = settings->access_log,
        .show_identity = settings->show_identity,
        .instance = settings->pod_name,
        .routes = routes,
        .route_count = route_count,
        .context = context,
    };
}
