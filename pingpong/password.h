/* password.h - the database password, from a setting or from a file that may change. Any thread. */
#ifndef PINGPONG_PASSWORD_H
#define PINGPONG_PASSWORD_H

#include "attributes.h"

#define PASSWORD_SIZE 1024

/* What a setting or file has behind the password, or at its end. */
enum password_end {
    PASSWORD_ENDS_PLAINLY,
    PASSWORD_ENDS_IN_BREAK, /* a line break: of a file it is left out, of a value it is a part */
    PASSWORD_ENDS_IN_LINES, /* a file has more than one line; the others are left out */
};

/* Copies `value`, or if `file` is not NULL the file's first line, into `out`; neither gives "".
 * `end` may be NULL. Returns 0, or -1 with errno if the file cannot be read (EFBIG: it is too long;
 * EINVAL: it is a FIFO or a device, which is never waited for). */
MUST_CHECK int password_read(const char *value, const char *file, char out[PASSWORD_SIZE],
                             enum password_end *end);

#endif
