/* page/files.h - the two files that a page shows, read anew for it.
 *
 * Pages that are answered within the same millisecond share one reading. One thread.
 */
#ifndef LOG_OUTPUT_PAGE_FILES_H
#define LOG_OUTPUT_PAGE_FILES_H

#include "reader/page/parts.h"
#include "reader/page/timestamp_hash.h"
#include "shared_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Set the first three, which are borrowed; the rest starts as zero. */
struct page_files {
    const char *config_path;
    const char *shared_path;
    int64_t stale_after_ms;

    bool has_read;
    int64_t read_ms; /* monotonic */
    int config_error;
    char config[PAGE_TEXT_MAX_BYTES + 1]; /* one more than is shown tells that there is more */
    size_t config_length;
    struct shared_file shared;
    struct timestamp_hash hash;
};

/* Reads the files unless that was done within this millisecond, and fills in what they say. What
 * `parts` points at then belongs to `files`, until the next call. */
void page_files_fill(struct page_files *files, struct page_parts *parts);

#endif
