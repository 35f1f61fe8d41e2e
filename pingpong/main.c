/* pingpong: GET /ping adds one to a counter in PostgreSQL and answers {"pong":N}. */
#include "batcher.h"
#include "database.h"
#include "event_loop.h"
#include "faults/faults.h"
#include "http/server.h"
#include "lifecycle.h"
#include "log.h"
#include "pingpong_settings.h"
#include "program.h"
#include "routes.h"
#include "standard_streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int run(const struct pingpong_settings *settings)
{
    struct event_loop *loop = NULL;
    struct routes routes = {0};
    int result = -1;

    /* The steps of a pass follow in the order in which these are made: requests are read and
     * answered, then gathered into a batch, then the batch is sent. */
    if (event_loop_create(&loop) != 0 ||
        lifecycle_create(&routes.lifecycle, loop, settings->http.drain_ms,
                         settings->batcher.timeout_ms + settings->http.request_timeout_ms) != 0)
        goto failed;
    const struct http_server_options options =
        http_settings_server_options(&settings->http, routes_table, routes_count, &routes);
    if (http_server_create(&routes.server, loop, &options) != 0)
        goto out;
    lifecycle_serve(routes.lifecycle, routes.server);
    if (faults_create(&routes.faults, loop, &settings->faults) != 0 ||
        batcher_create(&routes.batcher, loop, &settings->batcher) != 0 ||
        database_create(&routes.database, loop, &settings->database, &batcher_database_callbacks,
                        routes.batcher) != 0)
        goto failed;
    batcher_use(routes.batcher, routes.database);

    if (event_loop_run(loop) != 0)
        goto failed;
    result = lifecycle_ended_cleanly(routes.lifecycle) ? 0 : -1;
    goto out;

failed:
    log_error("cannot run", LOG_FIELDS(log_string("error", strerror(errno))));
out:
    http_server_destroy(routes.server);
    database_destroy(routes.database);
    batcher_destroy(routes.batcher);
    faults_destroy(routes.faults);
    lifecycle_destroy(routes.lifecycle);
    event_loop_destroy(loop);
    return result;
}

int main(int argc, char **argv)
{
    const struct program program = {
        .name = "pingpong",
        .summary = "Counts pings in PostgreSQL: GET /ping answers {\"pong\":N}.",
        .settings = pingpong_settings_table,
        .setting_count = pingpong_settings_count,
    };
    struct pingpong_settings settings;

    standard_streams_prepare();
    log_init(program.name);
    switch (program_parse_arguments(&program, NULL, argc, argv)) {
    case PROGRAM_RUN:
        break;
    case PROGRAM_DONE:
        return EXIT_SUCCESS;
    default:
        return EXIT_FAILURE;
    }
    if (pingpong_settings_load(&settings) != 0)
        return EXIT_FAILURE;
    log_set_level((enum log_level)settings.http.log_level);
    log_info("starting", LOG_FIELDS(log_string("version", program_version),
                                    log_string("commit", program_commit)));
    int result = run(&settings);
    log_info("ended", LOG_FIELDS(log_string("result", result == 0 ? "clean" : "not clean")));
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
