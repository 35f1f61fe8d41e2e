/* witness_settings.h - what the witness can be told. Main thread only. */
#ifndef WITNESS_SETTINGS_H
#define WITNESS_SETTINGS_H

#include "attributes.h"
#include "client/url.h"
#include "http/settings.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum witness_connections { CONNECTIONS_NEW, CONNECTIONS_KEPT };

struct witness_settings {
    struct http_settings http;
    const char *target_url;
    int64_t rate; /* a second */
    int64_t clients;
    int connections; /* enum witness_connections */
    int64_t connection_age_ms;
    int64_t duration_s; /* 0: for ever */
    int64_t timeout_ms;
    int64_t connect_timeout_ms;
    bool exclusive;
    bool tell_requests;
    struct client_url url; /* target_url taken apart */
};

extern const struct setting witness_settings_table[];
extern const size_t witness_settings_count;

/* Returns 0, or -1 after logging what is not accepted. Strings are borrowed from the
 * environment. */
MUST_CHECK int witness_settings_load(struct witness_settings *settings);

#endif
