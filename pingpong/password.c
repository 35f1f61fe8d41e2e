#include "password.h"

#include "regular_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Ends the password where the first line ends. */
static enum password_end cut_to_line(char *text)
{
    size_t length = strcspn(text, "\r\n");
    const char *rest = text + length;
    enum password_end end = PASSWORD_ENDS_IN_LINES;

    if (*rest == '\0')
        end = PASSWORD_ENDS_PLAINLY;
    else if (strcmp(rest, "\n") == 0 || strcmp(rest, "\r\n") == 0)
        end = PASSWORD_ENDS_IN_BREAK;
    text[length] = '\0';
    return end;
}

static int read_file(const char *path, char out[PASSWORD_SIZE], enum password_end *end)
{
    int fd = regular_file_open(path);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, out, PASSWORD_SIZE);
    int reason = errno;
    close(fd);
    if (length < 0 || length == PASSWORD_SIZE) {
        out[0] = '\0';
        errno = length < 0 ? reason : EFBIG;
        return -1;
    }
    out[length] = '\0';
    *end = cut_to_line(out);
    return 0;
}

int password_read(const char *value, const char *file, char out[PASSWORD_SIZE],
                  enum password_end *end)
{
    enum password_end unasked;

    if (end == NULL)
        end = &unasked;
    if (file != NULL)
        return read_file(file, out, end);
    size_t length = value == NULL ? 0 : strlen(value);
    if (length >= PASSWORD_SIZE) {
        errno = EFBIG;
        return -1;
    }
    memcpy(out, value == NULL ? "" : value, length);
    out[length] = '\0';
    *end = length > 0 && strchr("\r\n", out[length - 1]) != NULL ? PASSWORD_ENDS_IN_BREAK
                                                                 : PASSWORD_ENDS_PLAINLY;
    return 0;
}
