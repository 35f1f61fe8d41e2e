/* identity.h - random names: this process as a writer, and the keys of its batches. Any thread. */
#ifndef PINGPONG_IDENTITY_H
#define PINGPONG_IDENTITY_H

#include <stdint.h>

#define IDENTITY_UUID_SIZE 37

/* Writes a random UUID (version 4, RFC 9562). */
void identity_new_uuid(char out[IDENTITY_UUID_SIZE]);

/* A number from 1 to 2^62 that will not have been given before and leaves room to count on. */
int64_t identity_new_key(void);

/* A random number from 0 to `limit` - 1. */
int64_t identity_random_below(int64_t limit);

#endif
