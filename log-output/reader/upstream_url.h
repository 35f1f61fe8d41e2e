/* upstream_url.h - the parts of PINGPONG_URL that matter, and its neighbour /healthz.
 *
 * With upstream.c the only module that knows libcurl. Any thread.
 */
#ifndef LOG_OUTPUT_UPSTREAM_URL_H
#define LOG_OUTPUT_UPSTREAM_URL_H

#include "attributes.h"

#include <stdbool.h>
#include <stdint.h>

#define UPSTREAM_URL_SIZE 2048
#define UPSTREAM_HOST_SIZE 256

struct upstream_url {
    char url[UPSTREAM_URL_SIZE];        /* as given */
    char health_url[UPSTREAM_URL_SIZE]; /* the same with the path /healthz and no query */
    char host[UPSTREAM_HOST_SIZE];      /* a name, or an address without brackets */
    uint16_t port;
    bool secure; /* https */
};

/* Accepts http and https. Returns 0, or -1 if it is no such URL or too long. */
MUST_CHECK int upstream_url_parse(const char *text, struct upstream_url *url);

#endif
