#include "process_metrics.h"

#include "log.h"
#include "metrics.h"
#include "program.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What is used of /proc/self/stat; see proc_pid_stat(5). */
struct process_stat {
    double user_ticks, system_ticks, start_ticks, virtual_bytes, resident_pages;
};

static int read_stat(struct process_stat *stat)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return -1;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';

    /* The second field is the program's name in parentheses and may hold anything. */
    char *rest = strrchr(text, ')');
    if (rest == NULL)
        return -1;
    char *state = NULL;
    int field = 3;
    for (char *word = strtok_r(rest + 1, " ", &state); word != NULL;
         word = strtok_r(NULL, " ", &state), field++) {
        double value = strtod(word, NULL);
        if (field == 14)
            stat->user_ticks = value;
        else if (field == 15)
            stat->system_ticks = value;
        else if (field == 22)
            stat->start_ticks = value;
        else if (field == 23)
            stat->virtual_bytes = value;
        else if (field == 24)
            stat->resident_pages = value;
    }
    return field > 24 ? 0 : -1;
}

static double boot_time_seconds(void)
{
    char line[256];
    double seconds = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "btime ", 6) == 0)
            seconds = strtod(line + 6, NULL);
    fclose(file);
    return seconds;
}

static void write_stat(FILE *out)
{
    struct process_stat stat = {0};
    double ticks = (double)sysconf(_SC_CLK_TCK);

    if (read_stat(&stat) != 0)
        return;
    metrics_write_header(out, "process_cpu_seconds_total", "counter",
                         "User and system CPU time spent.");
    metrics_write_sample(out, "process_cpu_seconds_total", NULL,
                         (stat.user_ticks + stat.system_ticks) / ticks);
    metrics_write_gauge(out, "process_resident_memory_bytes", "Resident memory.",
                        stat.resident_pages * (double)sysconf(_SC_PAGESIZE));
    metrics_write_gauge(out, "process_virtual_memory_bytes", "Virtual memory.", stat.virtual_bytes);
    double boot_seconds = boot_time_seconds();
    if (boot_seconds > 0)
        metrics_write_gauge(out, "process_start_time_seconds",
                            "Start of the process, in seconds since 1970-01-01 UTC.",
                            boot_seconds + stat.start_ticks / ticks);
}

static void write_descriptors(FILE *out)
{
    struct rlimit limit;
    DIR *directory = opendir("/proc/self/fd");
    if (directory != NULL) {
        /* ".", ".." and the descriptor of this very listing do not count. */
        int count = -3;
        while (readdir(directory) != NULL)
            count++;
        closedir(directory);
        metrics_write_gauge(out, "process_open_fds", "Open file descriptors.", count);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_write_gauge(out, "process_max_fds", "Most file descriptors that may be open.",
                            (double)limit.rlim_cur);
}

void process_metrics_write(const char *component, FILE *out)
{
    char labels[160];

    write_stat(out);
    write_descriptors(out);
    metrics_write_counter(out, "log_lines_dropped_total",
                          "Log lines that standard error could not take at once.",
                          log_dropped_lines());
    metrics_write_header(out, "log_pong_build_info", "gauge",
                         "What was built; the value is always 1.");
    snprintf(labels, sizeof labels, "component=\"%s\",version=\"%s\",commit=\"%s\"", component,
             program_version, program_commit);
    metrics_write_sample(out, "log_pong_build_info", labels, 1);
}
