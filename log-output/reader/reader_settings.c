#include "reader_settings.h"

#include "log.h"

#define FIELD(name) offsetof(struct reader_settings, name)

const struct setting reader_settings_table[] = {
    HTTP_SETTINGS_ROWS(struct reader_settings, "3002"),
    {"SHARED_FILE", SETTING_STRING, FIELD(shared_file), "/usr/src/app/files/timestamp.txt", 0, 0,
     NULL, "The file that the writer appends to."},
    {"STALE_AFTER_MS", SETTING_INTEGER, FIELD(stale_after_ms), "15000", 1, 86400000, NULL,
     "Age at which the shared file's last line is too old."},
    {"CONFIG_FILE", SETTING_STRING, FIELD(config_file), "/usr/src/app/config/information.txt", 0, 0,
     NULL, "The file shown on the page's first line, read anew for each page."},
    {"MESSAGE", SETTING_STRING, FIELD(message), NULL, 0, 0, NULL,
     "Shown on the page's second line."},
    {"PINGPONG_URL", SETTING_STRING, FIELD(pingpong_url), "http://pingpong-svc:3001/ping", 0, 0,
     NULL, "Asked once for each page; its /healthz tells whether pingpong is ready."},
    {"UPSTREAM_CONNECT_TIMEOUT_MS", SETTING_INTEGER, FIELD(upstream_connect_timeout_ms), "500", 1,
     60000, NULL,
     "Longest wait for one connection to pingpong; the first tries wait less, and others follow."},
    {"UPSTREAM_TIMEOUT_MS", SETTING_INTEGER, FIELD(upstream_timeout_ms), "2500", 1, 60000, NULL,
     "Longest wait of a page for its number, the wait for a connection included."},
    {"UPSTREAM_CONNECTIONS_MAX", SETTING_INTEGER, FIELD(upstream_connections_max), "32", 1, 1024,
     NULL, "Most connections to pingpong."},
    {"UPSTREAM_QUEUE_MAX", SETTING_INTEGER, FIELD(upstream_queue_max), "4096", 1, 1000000, NULL,
     "Most pages that wait for a connection; over it a page is answered at once, without number."},
    {"UPSTREAM_CONNECTION_AGE_MS", SETTING_INTEGER, FIELD(upstream_connection_age_ms), "30000",
     1000, 3600000, NULL,
     "Age, in steps of a second, at which a connection to pingpong is replaced."},
    {"UPSTREAM_BATCH_MAX", SETTING_INTEGER, FIELD(upstream_batch_max), "256", 1, 4096, NULL,
     "Most waiting pages whose numbers are asked for in one request; 1: each has its own."},
    {"READY_REQUIRES_PINGPONG", SETTING_BOOLEAN, FIELD(ready_requires_pingpong), "false", 0, 0,
     NULL, "Whether /healthz also fails while pingpong is not ready."},
    FAULT_SETTINGS_ROWS(struct reader_settings),
};

const size_t reader_settings_count = sizeof reader_settings_table / sizeof *reader_settings_table;

int reader_settings_load(struct reader_settings *settings)
{
    if (settings_load(reader_settings_table, reader_settings_count, settings) != 0)
        return -1;
    if (client_url_parse(settings->pingpong_url, &settings->url) == 0)
        return fault_settings_check(&settings->faults, reader_settings_table,
                                    reader_settings_count);
    /* The value itself may hold a password. */
    log_error("setting not accepted",
              LOG_FIELDS(log_string("setting", "PINGPONG_URL"),
                         log_string("problem", settings->url.problem),
                         log_string("accepted", "a URL that begins with http:// or https://")));
    return -1;
}
