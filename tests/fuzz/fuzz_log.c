/* Any bytes as a message and a field: one line, closed, of printable bytes or valid UTF-8. */
#include "log.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

/* Standard error is a socket for the time of a call, so that the line can be read back. */
static size_t logged_line(const char *text, char *line, size_t size)
{
    int ends[2];
    int saved = dup(STDERR_FILENO);

    if (saved < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        abort();
    dup2(ends[0], STDERR_FILENO);
    log_error(text, LOG_FIELDS(log_string("field", text), log_integer("number", -1)));
    dup2(saved, STDERR_FILENO);
    ssize_t length = recv(ends[1], line, size, MSG_DONTWAIT);
    close(ends[0]);
    close(ends[1]);
    close(saved);
    return length < 0 ? 0 : (size_t)length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[8192], line[2 * LOG_LINE_MAX_BYTES];

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    size_t length = logged_line(text, line, sizeof line);
    if (length == 0 || length > LOG_LINE_MAX_BYTES || line[length - 1] != '\n' ||
        memchr(line, '\n', length) != line + length - 1)
        abort();
    cJSON *object = cJSON_ParseWithLength(line, length);
    if (object == NULL || cJSON_GetObjectItem(object, "message") == NULL)
        abort();
    cJSON_Delete(object);
    return 0;
}
