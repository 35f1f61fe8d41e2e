#include "witness_settings.h"

#include "log.h"

#define FIELD(name) offsetof(struct witness_settings, name)

const struct setting witness_settings_table[] = {
    HTTP_SETTINGS_ROWS(struct witness_settings, "3003"),
    {"TARGET_URL", SETTING_STRING, FIELD(target_url), "http://pingpong-svc:3001/ping", 0, 0, NULL,
     "Asked for numbers: pingpong's /ping, or the page."},
    {"RATE", SETTING_INTEGER, FIELD(rate), "10", 1, 10000, NULL,
     "Requests a second, started on time whatever became of those before."},
    {"CLIENTS", SETTING_INTEGER, FIELD(clients), "64", 1, 1024, NULL,
     "Most requests at the same time; one that finds no client free waits, and its time counts."},
    {"CONNECTIONS", SETTING_CHOICE, FIELD(connections), "new", 0, 0, "new kept",
     "A new connection for each request, which a Service may give to any pod, or kept ones, no "
     "more "
     "than are needed at a time."},
    {"CONNECTION_AGE_MS", SETTING_INTEGER, FIELD(connection_age_ms), "30000", 1000, 3600000, NULL,
     "Age, in steps of a second, at which a kept connection is replaced."},
    {"DURATION_S", SETTING_INTEGER, FIELD(duration_s), "0", 0, 31536000, NULL,
     "Time after which it ends by itself, with the verdict; 0: never."},
    {"TIMEOUT_MS", SETTING_INTEGER, FIELD(timeout_ms), "5000", 10, 60000, NULL,
     "Longest wait for an answer, from the planned start."},
    /* Linux repeats an attempt that was lost on the way after 1 s, and after 3 s: no outage yet. */
    {"CONNECT_TIMEOUT_MS", SETTING_INTEGER, FIELD(connect_timeout_ms), "3500", 1, 60000, NULL,
     "Longest wait for a connection."},
    {"EXCLUSIVE", SETTING_BOOLEAN, FIELD(exclusive), "false", 0, 0, NULL,
     "Nobody else pings: then a number that is missing is a violation too."},
    {"TELL_REQUESTS", SETTING_BOOLEAN, FIELD(tell_requests), "false", 0, 0, NULL,
     "Each request has a line of its own: what came, from whom, after what time."},
};

const size_t witness_settings_count =
    sizeof witness_settings_table / sizeof *witness_settings_table;

int witness_settings_load(struct witness_settings *settings)
{
    if (settings_load(witness_settings_table, witness_settings_count, settings) != 0)
        return -1;
    if (client_url_parse(settings->target_url, &settings->url) == 0)
        return 0;
    /* The value itself may hold a password. */
    log_error("setting not accepted",
              LOG_FIELDS(log_string("setting", "TARGET_URL"),
                         log_string("problem", settings->url.problem),
                         log_string("accepted", "a URL that begins with http:// or https://")));
    return -1;
}
