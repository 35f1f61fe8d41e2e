/* main.c - the writer: a timestamp line in the shared file every interval. */
#include "appender.h"
#include "clock.h"
#include "log.h"
#include "program.h"
#include "shared_file.h"
#include "standard_streams.h"
#include "writer_settings.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct writer {
    const struct writer_settings *settings;
    struct appender *appender;
    int last_error; /* errno of the last beat, 0: it succeeded */
    int64_t lines_missed;
};

/* For probes: success only if the last line is fresh; says on standard error why it is not. */
static int check(const struct writer_settings *settings)
{
    struct shared_file file;
    char reason[512];

    shared_file_read(settings->shared_file, clock_realtime_ms(), settings->stale_after_ms, &file);
    if (file.state == SHARED_FILE_FRESH)
        return EXIT_SUCCESS;
    shared_file_describe(&file, settings->shared_file, reason, sizeof reason);
    fprintf(stderr, "writer: not healthy: %s\n", reason);
    return EXIT_FAILURE;
}

/* Logs when writing begins to fail, fails for another reason, or works again. */
static void note_outcome(struct writer *writer, int error)
{
    const char *file = writer->settings->shared_file;

    if (error != 0)
        writer->lines_missed++;
    if (error != 0 && error != writer->last_error)
        log_error("cannot write the shared file",
                  LOG_FIELDS(log_string("file", file), log_string("error", strerror(error))));
    if (error == 0 && writer->last_error != 0) {
        log_info("writing the shared file again",
                 LOG_FIELDS(log_string("file", file),
                            log_integer("lines_missed", writer->lines_missed)));
        writer->lines_missed = 0;
    }
    writer->last_error = error;
}

static void beat(struct writer *writer)
{
    char timestamp[CLOCK_TIMESTAMP_SIZE];

    clock_format_timestamp(clock_realtime_ms(), timestamp);
    note_outcome(writer, appender_append(writer->appender, timestamp) == 0 ? 0 : errno);
}

/* Waits until `due_ms`. Returns true if SIGTERM or SIGINT came. */
static bool wait_for_signal(const sigset_t *signals, int64_t due_ms)
{
    for (;;) {
        int64_t wait_ms = due_ms - clock_monotonic_ms();
        if (wait_ms < 0)
            wait_ms = 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait_ms / 1000),
                                   .tv_nsec = (long)(wait_ms % 1000) * 1000000};
        if (sigtimedwait(signals, NULL, &timeout) > 0)
            return true;
        if (errno != EINTR)
            return false;
    }
}

/* The beats are due at fixed times, so what a beat takes does not add up; those that were missed
 * while the process could not run are left out. */
static void run(struct writer *writer, const sigset_t *signals)
{
    int64_t interval_ms = writer->settings->interval_ms;
    int64_t due_ms = clock_monotonic_ms();

    do {
        beat(writer);
        int64_t late_ms = clock_monotonic_ms() - due_ms;
        due_ms += interval_ms * (1 + late_ms / interval_ms);
    } while (!wait_for_signal(signals, due_ms));
}

/* Blocked, the signals wait to be fetched, also in a container where this is process 1. */
static void prepare_process(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigprocmask(SIG_BLOCK, signals, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a size limit is an error of write(), not the end */
    umask(022);
}

static int serve(const struct writer_settings *settings)
{
    struct writer writer = {.settings = settings};
    sigset_t signals;

    prepare_process(&signals);
    writer.appender =
        appender_create(settings->shared_file, (size_t)settings->shared_file_max_bytes);
    if (writer.appender == NULL) {
        log_error("out of memory", NULL);
        return EXIT_FAILURE;
    }
    log_info("writing", LOG_FIELDS(log_string("file", settings->shared_file),
                                   log_integer("interval_ms", settings->interval_ms),
                                   log_string("version", program_version)));
    if (settings->stale_after_ms <= settings->interval_ms)
        log_warning("STALE_AFTER_MS is not above INTERVAL_MS: lines will be found stale", NULL);
    run(&writer, &signals);
    log_info("ended", NULL);
    appender_destroy(writer.appender);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const struct program program = {
        .name = "writer",
        .summary = "Appends the time to the shared file, one line every interval.",
        .options = "  --check     exit with success only if the shared file's last line is fresh\n",
        .settings = writer_settings_table,
        .setting_count = writer_settings_count,
    };
    struct writer_settings settings;

    standard_streams_prepare();
    log_init("writer");
    enum program_action action = program_parse_arguments(&program, "--check", argc, argv);
    if (action == PROGRAM_DONE)
        return EXIT_SUCCESS;
    if (action == PROGRAM_REFUSED || writer_settings_load(&settings) != 0)
        return EXIT_FAILURE;
    log_set_level((enum log_level)settings.log_level);
    return action == PROGRAM_OPTION ? check(&settings) : serve(&settings);
}
