/* page/parts.h - what a page says, whichever form it takes. Touches nothing else. Any thread. */
#ifndef LOG_OUTPUT_PAGE_PARTS_H
#define LOG_OUTPUT_PAGE_PARTS_H

#include "attributes.h"
#include "client/result.h"
#include "http/identity.h"
#include "shared_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the configuration and of MESSAGE at most this much is shown. */
#define PAGE_TEXT_MAX_BYTES 4096

/* Large enough for any such text: each byte may become the three of U+FFFD. */
#define PAGE_TEXT_SIZE (3 * PAGE_TEXT_MAX_BYTES + 16)

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
    bool pong_may_be_counted;
    int64_t pong; /* CLIENT_OK */
    int64_t pong_timeout_ms;

    struct http_answerer reader;
    struct http_answerer pingpong;
};

/* 200, or 503 if the number is missing. */
unsigned page_parts_status(const struct page_parts *parts);

/* Each of these writes, zero-terminated, what is wrong with one part, and returns whether anything
 * is. */
bool page_parts_config_problem(const struct page_parts *parts, char *out, size_t size);
bool page_parts_timestamp_problem(const struct page_parts *parts, char *out, size_t size);
bool page_parts_pong_problem(const struct page_parts *parts, char *out, size_t size);

/* Copies a text, zero-terminated, as it is shown: cut if it is long, without the white space at its
 * end, line ends and other control characters as spaces, and U+FFFD for what is not UTF-8. Returns
 * its length. */
size_t page_parts_clean(const char *text, size_t length, char out[PAGE_TEXT_SIZE]);

#endif
