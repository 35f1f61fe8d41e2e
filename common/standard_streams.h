/* standard_streams.h - what a program may rely on about its descriptors 0, 1 and 2. */
#ifndef COMMON_STANDARD_STREAMS_H
#define COMMON_STANDARD_STREAMS_H

/* Call first in main(), before anything is opened, written or started.
 *
 * - Descriptors 0 to 2 that are closed become /dev/null: else the next socket or file would get
 *   such a number, and log lines with it.
 * - SIGPIPE is ignored: a reader of the log that has gone is an error of write(), not the end.
 * - If standard error is a pipe or a terminal, it is opened anew without blocking, apart from the
 *   description that other processes share, so that no one who stops reading stops the program.
 *   Where the system does not allow that (the terminal of another user), it stays as it is. A
 *   regular file stays too, for its position is shared with whoever else writes to it. */
void standard_streams_prepare(void);

#endif
