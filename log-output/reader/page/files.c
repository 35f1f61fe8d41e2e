#include "reader/page/files.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* By path each time: a ConfigMap's directory is swapped by a symbolic link. */
static void read_config(struct page_files *files)
{
    files->config_error = 0;
    files->config_length = 0;
    int fd = open(files->config_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        files->config_error = errno;
        return;
    }
    ssize_t length = read(fd, files->config, sizeof files->config);
    if (length < 0)
        files->config_error = errno;
    else
        files->config_length = (size_t)length;
    close(fd);
}

void page_files_read(struct page_files *files, int64_t now_ms)
{
    if (files->has_read && files->read_ms == now_ms)
        return;
    files->has_read = true;
    files->read_ms = now_ms;
    read_config(files);
    shared_file_read(files->shared_path, clock_realtime_ms(), files->stale_after_ms,
                     &files->shared);
}

void page_files_fill(struct page_files *files, int64_t asked_ms, struct page_parts *parts)
{
    int64_t now_ms = clock_monotonic_ms();

    if (files->read_ms < asked_ms || now_ms - files->read_ms > PAGE_FILES_AGE_MAX_MS)
        page_files_read(files, now_ms);
    parts->config_path = files->config_path;
    parts->config_error = files->config_error;
    parts->config = files->config;
    parts->config_length = files->config_length;
    parts->shared_path = files->shared_path;
    parts->shared = &files->shared;
    parts->hash = timestamp_hash_of(&files->hash, files->shared.timestamp);
}
