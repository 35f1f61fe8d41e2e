/* page/files.h - the two files that a page shows, read after it was asked for.
 *
 * Pages that were asked for before a reading share it, if they are answered soon. So the files are
 * best read while the views wait for their numbers anyway. One thread.
 */
#ifndef LOG_OUTPUT_PAGE_FILES_H
#define LOG_OUTPUT_PAGE_FILES_H

#include "reader/page/parts.h"
#include "reader/page/timestamp_hash.h"
#include "shared_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was read longer ago is read again. */
#define PAGE_FILES_AGE_MAX_MS 20

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

/* Reads the files, unless that was done within this millisecond. */
void page_files_read(struct page_files *files, int64_t now_ms);

/* Fills in what the files say, for a page that was asked for at `asked_ms`, monotonic; they are
 * read if they were not since then. What `parts` points at then belongs to `files`, until the next
 * call. */
void page_files_fill(struct page_files *files, int64_t asked_ms, struct page_parts *parts);

#endif
