/* faults/settings.h - the faults that a daemon can be told to have, as rows for its table.
 *
 * They make a bad version out of a good one by its settings alone, to see what a cluster does with
 * it. None acts unless FAULTS=allowed, so one that is left behind somewhere cannot do harm unseen.
 */
#ifndef COMMON_FAULTS_SETTINGS_H
#define COMMON_FAULTS_SETTINGS_H

#include "../settings.h"
#include "attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A delayed request is in flight, and a drain waits for what is. */
#define FAULT_DELAY_MAX_MS 10000

struct fault_settings {
    int allowed;        /* 1: they act */
    double error_share; /* of the requests that count, 0 to 1 */
    int64_t delay_ms;
    double delay_share; /* of the requests that count, 0 to 1 */
    double cpu_share;   /* of one processor, 0 to 1 */
    bool not_ready;
    int64_t crash_after_ms; /* 0: never */
    int64_t leak_bytes_per_s;
};

/* Logs a warning for each fault that is set in the environment; without FAULTS=allowed an error.
 * `table` is the program's. Returns 0, or -1 if one is set that is not allowed. */
MUST_CHECK int fault_settings_check(const struct fault_settings *settings,
                                    const struct setting *table, size_t count);

/* Rows for a struct that has a struct fault_settings as its member `faults`. */
#define FAULT_SETTINGS_ROWS(owner)                                                                \
    {.name = "FAULTS",                                                                            \
     .type = SETTING_CHOICE,                                                                      \
     .offset = offsetof(owner, faults.allowed),                                                   \
     .default_value = "forbidden",                                                                \
     .choices = "forbidden allowed",                                                              \
     .help = "Whether the faults below may be set; otherwise one that is set stops the start."},  \
        {.name = "FAULT_ERROR_SHARE",                                                             \
         .type = SETTING_SHARE,                                                                   \
         .offset = offsetof(owner, faults.error_share),                                           \
         .default_value = "0",                                                                    \
         .help = "Share of the requests that would count which get a 503 instead, uncounted."},   \
        {.name = "FAULT_DELAY_MS",                                                                \
         .type = SETTING_INTEGER,                                                                 \
         .offset = offsetof(owner, faults.delay_ms),                                              \
         .default_value = "0",                                                                    \
         .minimum = 0,                                                                            \
         .maximum = FAULT_DELAY_MAX_MS,                                                           \
         .help = "Time for which such requests are held back before anything is done for them."}, \
        {.name = "FAULT_DELAY_SHARE",                                                             \
         .type = SETTING_SHARE,                                                                   \
         .offset = offsetof(owner, faults.delay_share),                                           \
         .default_value = "1",                                                                    \
         .help = "Share of such requests that FAULT_DELAY_MS holds back."},                       \
        {.name = "FAULT_CPU_SHARE",                                                               \
         .type = SETTING_SHARE,                                                                   \
         .offset = offsetof(owner, faults.cpu_share),                                             \
         .default_value = "0",                                                                    \
         .help = "Share of one processor that is burnt."},                                        \
        {.name = "FAULT_NOT_READY",                                                               \
         .type = SETTING_BOOLEAN,                                                                 \
         .offset = offsetof(owner, faults.not_ready),                                             \
         .default_value = "false",                                                                \
         .help = "Whether /healthz always fails."},                                               \
        {.name = "FAULT_CRASH_AFTER_MS",                                                          \
         .type = SETTING_INTEGER,                                                                 \
         .offset = offsetof(owner, faults.crash_after_ms),                                        \
         .default_value = "0",                                                                    \
         .minimum = 0,                                                                            \
         .maximum = 86400000,                                                                     \
         .help = "Time after the start at which the process aborts; 0: never."},                  \
    {                                                                                             \
        .name = "FAULT_LEAK_BYTES_PER_S", .type = SETTING_INTEGER,                                \
        .offset = offsetof(owner, faults.leak_bytes_per_s), .default_value = "0", .minimum = 0,   \
        .maximum = 1073741824, .help = "Memory that is taken and never given back, a second."     \
    }

#endif
