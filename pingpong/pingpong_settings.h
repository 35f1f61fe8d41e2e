/* pingpong_settings.h - the daemon's settings. */
#ifndef PINGPONG_SETTINGS_H
#define PINGPONG_SETTINGS_H

#include "batcher.h"
#include "database.h"
#include "faults/settings.h"
#include "http/settings.h"
#include "settings.h"

#include <stddef.h>

struct pingpong_settings {
    struct http_settings http;
    struct database_options database;
    int ssl_mode; /* index of the word; becomes database.ssl_mode */
    struct batcher_options batcher;
    struct fault_settings faults;
};

extern const struct setting pingpong_settings_table[];
extern const size_t pingpong_settings_count;

/* Reads the environment and checks what one row cannot: relations between rows. Returns 0, or -1
 * after logging what is not accepted. */
MUST_CHECK int pingpong_settings_load(struct pingpong_settings *settings);

#endif
