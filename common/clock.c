#include "clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
#define EARLIEST_MS INT64_C(-62167219200000)
#define LATEST_MS INT64_C(253402300799999)

static int64_t read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_realtime_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

void clock_format_timestamp(int64_t realtime_ms, char out[CLOCK_TIMESTAMP_SIZE])
{
    if (realtime_ms < EARLIEST_MS)
        realtime_ms = EARLIEST_MS;
    if (realtime_ms > LATEST_MS)
        realtime_ms = LATEST_MS;
    int64_t milliseconds = realtime_ms % 1000;
    if (milliseconds < 0)
        milliseconds += 1000;
    time_t seconds = (time_t)((realtime_ms - milliseconds) / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);

    /* Large enough for any int, so that no compiler fears for a truncation that cannot happen. */
    char text[96];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)milliseconds);
    memcpy(out, text, CLOCK_TIMESTAMP_LENGTH);
    out[CLOCK_TIMESTAMP_LENGTH] = '\0';
}

static int digits(const char *text, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* timegm() carries what is out of range into the next field, so a date that does not exist does not
 * stay as it was written. */
static bool is_same_second(const struct tm *one, const struct tm *other)
{
    return one->tm_year == other->tm_year && one->tm_mon == other->tm_mon &&
           one->tm_mday == other->tm_mday && one->tm_hour == other->tm_hour &&
           one->tm_min == other->tm_min && one->tm_sec == other->tm_sec;
}

int clock_parse_timestamp(const char *text, size_t length, int64_t *realtime_ms)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

    if (length != CLOCK_TIMESTAMP_LENGTH)
        return -1;
    for (size_t i = 0; i < length; i++) {
        int is_digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == 'd' ? !is_digit : text[i] != shape[i])
            return -1;
    }
    const struct tm written = {
        .tm_year = digits(text, 4) - 1900,
        .tm_mon = digits(text + 5, 2) - 1,
        .tm_mday = digits(text + 8, 2),
        .tm_hour = digits(text + 11, 2),
        .tm_min = digits(text + 14, 2),
        .tm_sec = digits(text + 17, 2),
    };
    struct tm utc = written;
    int64_t parsed = (int64_t)timegm(&utc) * 1000 + digits(text + 20, 3);

    if (!is_same_second(&utc, &written))
        return -1;
    *realtime_ms = parsed;
    return 0;
}
