/* reader_settings.h - what the reader can be told. Main thread only. */
#ifndef LOG_OUTPUT_READER_SETTINGS_H
#define LOG_OUTPUT_READER_SETTINGS_H

#include "attributes.h"
#include "client/url.h"
#include "faults/settings.h"
#include "http/settings.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader_settings {
    struct http_settings http;
    const char *shared_file;
    int64_t stale_after_ms;
    const char *config_file;
    const char *message; /* NULL: not set */
    const char *pingpong_url;
    int64_t upstream_connect_timeout_ms;
    int64_t upstream_timeout_ms;
    int64_t upstream_connections_max;
    int64_t upstream_queue_max;
    int64_t upstream_connection_age_ms;
    int64_t upstream_batch_max;
    bool ready_requires_pingpong;
    struct fault_settings faults;
    struct client_url url; /* pingpong_url taken apart */
};

extern const struct setting reader_settings_table[];
extern const size_t reader_settings_count;

/* Returns 0, or -1 after logging what is not accepted. Strings are borrowed from the
 * environment. */
MUST_CHECK int reader_settings_load(struct reader_settings *settings);

#endif
