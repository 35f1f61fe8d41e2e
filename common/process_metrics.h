/* process_metrics.h - the process' own figures, under the names Prometheus' client libraries use.
 *
 * Reads /proc/self; may be called from any thread.
 */
#ifndef COMMON_PROCESS_METRICS_H
#define COMMON_PROCESS_METRICS_H

#include <stdio.h>

/* Writes process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
 * process_open_fds, process_max_fds, process_start_time_seconds, log_pong_build_info with this
 * component, and log_lines_dropped_total. A figure that /proc does not give is left out. */
void process_metrics_write(const char *component, FILE *out);

#endif
