#include "faults/settings.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

int fault_settings_check(const struct fault_settings *settings, const struct setting *table,
                         size_t count)
{
    int result = 0;

    for (size_t i = 0; i < count; i++) {
        const char *name = table[i].name;
        const char *value = strncmp(name, "FAULT_", 6) == 0 ? getenv(name) : NULL;
        if (value == NULL || value[0] == '\0')
            continue;
        if (settings->allowed) {
            log_warning("a fault on purpose",
                        LOG_FIELDS(log_string("setting", name), log_string("value", value)));
            continue;
        }
        log_error("setting not accepted",
                  LOG_FIELDS(log_string("setting", name), log_string("value", value),
                             log_string("accepted", "nothing, unless FAULTS=allowed")));
        result = -1;
    }
    return result;
}
