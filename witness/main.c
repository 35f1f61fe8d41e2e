/* main.c - the witness: pings a URL, and proves from the answers what the service did. */
#include "client/addresses.h"
#include "client/client.h"
#include "event_loop.h"
#include "http/server.h"
#include "lifecycle.h"
#include "log.h"
#include "observer.h"
#include "pinger.h"
#include "program.h"
#include "routes.h"
#include "standard_streams.h"
#include "witness_settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* At the end, what was sent may take as long as a request may, and a little. */
#define FINISH_RESERVE_MS 1000

struct witness {
    struct witness_settings settings;
    struct event_loop *loop;
    struct lifecycle *lifecycle;
    struct http_server *server;
    struct client_addresses *addresses;
    struct observer *observer;
    struct pinger *pinger;
    struct routes routes;
    bool concluded, held;
};

static void conclude(struct witness *witness)
{
    if (witness->concluded)
        return;
    witness->concluded = true;
    witness->held = observer_conclude(witness->observer);
}

/* A signal ends the pings at once, and the verdict follows when the last has ended. */
static int64_t step(void *context, int64_t now_ms)
{
    struct witness *witness = context;

    (void)now_ms;
    if (lifecycle_is_draining(witness->lifecycle))
        pinger_stop(witness->pinger);
    if (pinger_is_done(witness->pinger)) {
        conclude(witness);
        lifecycle_finish(witness->lifecycle);
    }
    return EVENT_LOOP_IDLE;
}

static bool is_busy(const void *context)
{
    const struct witness *witness = context;
    return !witness->concluded;
}

static int start_server(struct witness *witness)
{
    struct http_server_options options = http_settings_server_options(
        &witness->settings.http, routes_table, routes_count, &witness->routes);
    options.outgoing_max = witness->settings.clients;
    return http_server_create(&witness->server, witness->loop, &options);
}

/* The order matters twice: signals are set up before a lookup starts a thread, and the loop's
 * steps run in the order in which they are added here. Returns 0, or -1 with errno. */
static int start(struct witness *witness)
{
    const struct witness_settings *settings = &witness->settings;

    errno = ENOMEM;
    if (event_loop_create(&witness->loop) != 0 ||
        lifecycle_create(&witness->lifecycle, witness->loop, settings->http.drain_ms,
                         settings->timeout_ms + FINISH_RESERVE_MS) != 0 ||
        client_addresses_create(&witness->addresses, witness->loop, settings->url.host) != 0 ||
        start_server(witness) != 0 ||
        observer_create(&witness->observer, witness->loop, settings) != 0 ||
        pinger_create(&witness->pinger, witness->loop, settings, witness->addresses,
                      witness->observer) != 0)
        return -1;
    event_loop_add_step(witness->loop, step, witness);
    lifecycle_serve(witness->lifecycle, witness->server);
    lifecycle_wait_for(witness->lifecycle, is_busy, witness);
    witness->routes = (struct routes){
        .lifecycle = witness->lifecycle, .server = witness->server, .observer = witness->observer};
    return 0;
}

/* Requests that are cut off have their place in the verdict. */
static void stop(struct witness *witness, bool started)
{
    pinger_destroy(witness->pinger);
    if (started)
        conclude(witness);
    observer_destroy(witness->observer);
    http_server_destroy(witness->server);
    client_addresses_destroy(witness->addresses);
    lifecycle_destroy(witness->lifecycle);
    event_loop_destroy(witness->loop);
}

static int serve(struct witness *witness)
{
    bool clean = false, started = false;

    if (client_global_init(witness->settings.url.secure) != 0) {
        log_error("cannot initialise libcurl", NULL);
        return EXIT_FAILURE;
    }
    if (start(witness) != 0) {
        log_error("cannot start", LOG_FIELDS(log_string("error", strerror(errno))));
    } else {
        started = true;
        log_info("serving", LOG_FIELDS(log_string("version", program_version),
                                       log_string("commit", program_commit)));
        if (event_loop_run(witness->loop) != 0)
            log_error("the event loop failed", LOG_FIELDS(log_string("error", strerror(errno))));
        clean = lifecycle_ended_cleanly(witness->lifecycle);
    }
    stop(witness, started);
    client_global_cleanup();
    log_info("ended", NULL);
    return clean && witness->held ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct witness witness;
    const struct program program = {
        .name = "witness",
        .summary = "Pings a URL, and proves from the answers what the service did. Prints JSON\n"
                   "lines; the last is the verdict. Exits with 0 if it held, else with 1.",
        .settings = witness_settings_table,
        .setting_count = witness_settings_count,
    };

    standard_streams_prepare();
    log_init("witness");
    enum program_action action = program_parse_arguments(&program, NULL, argc, argv);
    if (action == PROGRAM_DONE)
        return EXIT_SUCCESS;
    if (action == PROGRAM_REFUSED || witness_settings_load(&witness.settings) != 0)
        return EXIT_FAILURE;
    log_set_level((enum log_level)witness.settings.http.log_level);
    return serve(&witness);
}
