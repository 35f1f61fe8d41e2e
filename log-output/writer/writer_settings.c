#include "writer_settings.h"

#define FIELD(name) offsetof(struct writer_settings, name)

const struct setting writer_settings_table[] = {
    {"INTERVAL_MS", SETTING_INTEGER, FIELD(interval_ms), "5000", 10, 86400000, NULL,
     "Time from one line to the next."},
    {"SHARED_FILE", SETTING_STRING, FIELD(shared_file), "/usr/src/app/files/timestamp.txt", 0, 0,
     NULL, "The file that the lines are appended to; its directory has to exist."},
    {"SHARED_FILE_MAX_BYTES", SETTING_INTEGER, FIELD(shared_file_max_bytes), "65536", 256, 16777216,
     NULL, "Before it would grow beyond this, the file is cut to its last lines."},
    {"STALE_AFTER_MS", SETTING_INTEGER, FIELD(stale_after_ms), "15000", 1, 86400000, NULL,
     "Age at which --check finds the last line too old; keep it above INTERVAL_MS."},
    {"LOG_LEVEL", SETTING_CHOICE, FIELD(log_level), "info", 0, 0, "debug info warning error",
     "Log lines below this level are left out."},
};

const size_t writer_settings_count = sizeof writer_settings_table / sizeof *writer_settings_table;

int writer_settings_load(struct writer_settings *settings)
{
    return settings_load(writer_settings_table, writer_settings_count, settings);
}
