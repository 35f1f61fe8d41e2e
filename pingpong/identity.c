#include "identity.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>

/* For requests of up to 256 bytes the call neither fails nor is cut short once the kernel has
 * started; see getrandom(2). */
static void fill_random(void *out, size_t size)
{
    uint8_t *bytes = out;
    for (size_t done = 0; done < size;) {
        ssize_t count = getrandom(bytes + done, size - done, 0);
        if (count > 0)
            done += (size_t)count;
    }
}

void identity_new_uuid(char out[IDENTITY_UUID_SIZE])
{
    uint8_t b[16];

    fill_random(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    snprintf(out, IDENTITY_UUID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

int64_t identity_new_key(void)
{
    uint64_t value;
    fill_random(&value, sizeof value);
    return (int64_t)(value >> 2) + 1;
}

int64_t identity_random_below(int64_t limit)
{
    uint64_t value;
    fill_random(&value, sizeof value);
    return (int64_t)(value % (uint64_t)limit);
}
