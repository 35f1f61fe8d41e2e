/* regular_file.h - opening a file that a setting names, without ever waiting. Any thread. */
#ifndef PINGPONG_REGULAR_FILE_H
#define PINGPONG_REGULAR_FILE_H

#include "attributes.h"

/* Opens for reading. Returns a descriptor, which the caller closes, or -1 with errno: EISDIR for a
 * directory, EINVAL for a FIFO, a device or the like, any of which could be waited for. */
MUST_CHECK int regular_file_open(const char *path);

#endif
