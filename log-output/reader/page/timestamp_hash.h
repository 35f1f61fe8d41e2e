/* page/timestamp_hash.h - the SHA-256 of a timestamp, in hex; made once for each. One thread. */
#ifndef LOG_OUTPUT_TIMESTAMP_HASH_H
#define LOG_OUTPUT_TIMESTAMP_HASH_H

#include "clock.h"

#define TIMESTAMP_HASH_SIZE 65

/* Starts as zero. */
struct timestamp_hash {
    char timestamp[CLOCK_TIMESTAMP_SIZE];
    char hex[TIMESTAMP_HASH_SIZE];
};

/* Returns the hash of `timestamp`, 64 lower-case hex digits, borrowed until the next call; empty if
 * the library could not make it. */
const char *timestamp_hash_of(struct timestamp_hash *hash, const char *timestamp);

#endif
