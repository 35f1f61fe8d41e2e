/* page.h - the page's four lines, put together from their parts. Touches nothing else. Any thread.
 */
#ifndef LOG_OUTPUT_PAGE_H
#define LOG_OUTPUT_PAGE_H

#include "client/result.h"
#include "shared_file.h"

#include <stddef.h>
#include <stdint.h>

/* Of the configuration and of MESSAGE at most this much is shown. */
#define PAGE_TEXT_MAX_BYTES 4096

/* Large enough for any page: each byte of the two texts may become the three of U+FFFD. */
#define PAGE_SIZE_MAX (2 * 3 * PAGE_TEXT_MAX_BYTES + 16384)

struct page_parts {
    const char *config_path;
    int config_error;   /* errno, 0: config holds the file's beginning */
    const char *config; /* needs no terminator */
    size_t config_length;

    const char *message; /* NULL: not set */

    const char *shared_path;
    const struct shared_file *shared;
    const char *hash; /* of its timestamp */

    enum client_result pong_result;
    long pong_status;
    int64_t pong; /* CLIENT_OK */
    int64_t pong_timeout_ms;
};

/* 200, or 503 if the number is missing. */
unsigned page_status(const struct page_parts *parts);

/* Writes the four lines, without terminator, and returns their length. Whatever the texts hold,
 * they are four lines of UTF-8: line ends and other control characters become spaces, what is not
 * UTF-8 becomes U+FFFD. */
size_t page_write(const struct page_parts *parts, char out[PAGE_SIZE_MAX]);

#endif
