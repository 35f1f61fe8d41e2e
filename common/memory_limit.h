/* memory_limit.h - how much memory this process may use before the kernel kills it. */
#ifndef COMMON_MEMORY_LIMIT_H
#define COMMON_MEMORY_LIMIT_H

#include "attributes.h"

#include <stdint.h>

/* The least limit in bytes of the process's control group and of those above it, as far as they can
 * be seen; INT64_MAX if there is none. Understands version 2 (memory.max) and version 1
 * (memory.limit_in_bytes) where systemd and container runtimes mount them. Any thread. */
MUST_CHECK int64_t memory_limit_bytes(void);

/* The same from a file like /proc/self/cgroup and a folder like /sys/fs/cgroup. */
MUST_CHECK int64_t memory_limit_read(const char *membership, const char *folder);

#endif
