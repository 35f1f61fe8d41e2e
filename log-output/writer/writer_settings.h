/* writer_settings.h - what the writer can be told. Main thread only. */
#ifndef LOG_OUTPUT_WRITER_SETTINGS_H
#define LOG_OUTPUT_WRITER_SETTINGS_H

#include "attributes.h"
#include "settings.h"

#include <stddef.h>
#include <stdint.h>

struct writer_settings {
    int64_t interval_ms;
    const char *shared_file;
    int64_t shared_file_max_bytes;
    int64_t stale_after_ms;
    int log_level; /* enum log_level */
};

extern const struct setting writer_settings_table[];
extern const size_t writer_settings_count;

/* Returns 0, or -1 after logging what is not accepted. Strings are borrowed from the
 * environment. */
MUST_CHECK int writer_settings_load(struct writer_settings *settings);

#endif
