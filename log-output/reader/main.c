/* main.c - the reader: the page, and what Kubernetes asks. */
#include "client/addresses.h"
#include "client/client.h"
#include "event_loop.h"
#include "faults/faults.h"
#include "http/server.h"
#include "lifecycle.h"
#include "log.h"
#include "pingpong_client.h"
#include "pingpong_monitor.h"
#include "program.h"
#include "reader_settings.h"
#include "routes.h"
#include "standard_streams.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* After the drain, what is in flight may take as long as a page may, and a little. */
#define FINISH_RESERVE_MS 1000

struct reader {
    struct reader_settings settings;
    struct event_loop *loop;
    struct lifecycle *lifecycle;
    struct http_server *server;
    struct faults *faults;
    struct client_addresses *addresses;
    struct pingpong_monitor *monitor;
    struct pingpong_client *client;
    struct routes routes;
};

static int start_server(struct reader *reader)
{
    struct http_server_options options = http_settings_server_options(
        &reader->settings.http, routes_table, routes_count, &reader->routes);
    options.outgoing_max = reader->settings.upstream_connections_max;
    return http_server_create(&reader->server, reader->loop, &options);
}

static int start_client(struct reader *reader)
{
    const struct reader_settings *settings = &reader->settings;
    const struct pingpong_client_options options = {
        .client = {.url = settings->url.url,
                   .host = &settings->url,
                   .addresses = reader->addresses,
                   .connect_timeout_ms = settings->upstream_connect_timeout_ms,
                   .timeout_ms = settings->upstream_timeout_ms,
                   .connections_max = settings->upstream_connections_max,
                   .queue_max = settings->upstream_queue_max,
                   .connection_age_ms = settings->upstream_connection_age_ms},
        .batch_max = settings->upstream_batch_max,
        .callback = routes_on_pong,
        .is_wanted = routes_is_wanted,
    };
    return pingpong_client_create(&reader->client, reader->loop, &options);
}

static void set_routes(struct reader *reader)
{
    struct routes *routes = &reader->routes;

    routes->settings = &reader->settings;
    routes->lifecycle = reader->lifecycle;
    routes->server = reader->server;
    routes->faults = reader->faults;
    routes->monitor = reader->monitor;
    routes->client = reader->client;
    routes->files.config_path = reader->settings.config_file;
    routes->files.shared_path = reader->settings.shared_file;
    routes->files.stale_after_ms = reader->settings.stale_after_ms;
}

/* The order matters twice: signals are set up before a lookup starts a thread, and the loop's
 * steps run in the order in which they are added here. Returns 0, or -1 with errno. */
static int start(struct reader *reader)
{
    const struct reader_settings *settings = &reader->settings;

    errno = ENOMEM;
    if (event_loop_create(&reader->loop) != 0 ||
        lifecycle_create(&reader->lifecycle, reader->loop, settings->http.drain_ms,
                         settings->upstream_timeout_ms + FINISH_RESERVE_MS) != 0 ||
        client_addresses_create(&reader->addresses, reader->loop, settings->url.host) != 0 ||
        start_server(reader) != 0)
        return -1;
    lifecycle_serve(reader->lifecycle, reader->server);
    if (faults_create(&reader->faults, reader->loop, &settings->faults) != 0 ||
        pingpong_monitor_create(&reader->monitor, reader->loop, &settings->url, reader->addresses,
                                settings->upstream_connect_timeout_ms) != 0 ||
        start_client(reader) != 0)
        return -1;
    set_routes(reader);
    event_loop_add_step(reader->loop, routes_step, &reader->routes);
    return page_document_init(&reader->routes.document);
}

static void stop(struct reader *reader)
{
    pingpong_client_destroy(reader->client);
    pingpong_monitor_destroy(reader->monitor);
    faults_destroy(reader->faults);
    http_server_destroy(reader->server);
    client_addresses_destroy(reader->addresses);
    lifecycle_destroy(reader->lifecycle);
    event_loop_destroy(reader->loop);
}

static int serve(struct reader *reader)
{
    bool clean = false;

    if (client_global_init(reader->settings.url.secure) != 0) {
        log_error("cannot initialise libcurl", NULL);
        return EXIT_FAILURE;
    }
    if (start(reader) != 0) {
        log_error("cannot start", LOG_FIELDS(log_string("error", strerror(errno))));
    } else {
        log_info("serving", LOG_FIELDS(log_string("version", program_version),
                                       log_string("commit", program_commit)));
        if (event_loop_run(reader->loop) != 0)
            log_error("the event loop failed", LOG_FIELDS(log_string("error", strerror(errno))));
        clean = lifecycle_ended_cleanly(reader->lifecycle);
        log_info("ended", NULL);
    }
    stop(reader);
    client_global_cleanup();
    return clean ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct reader reader;
    const struct program program = {
        .name = "reader",
        .summary = "Serves the page: a file, a message, the time with its hash, and the next pong.",
        .settings = reader_settings_table,
        .setting_count = reader_settings_count,
    };

    standard_streams_prepare();
    log_init("reader");
    enum program_action action = program_parse_arguments(&program, NULL, argc, argv);
    if (action == PROGRAM_DONE)
        return EXIT_SUCCESS;
    if (action == PROGRAM_REFUSED || reader_settings_load(&reader.settings) != 0)
        return EXIT_FAILURE;
    log_set_level((enum log_level)reader.settings.http.log_level);
    return serve(&reader);
}
