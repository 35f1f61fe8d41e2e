/* client/url.h - the parts of PINGPONG_URL that matter, and its neighbour /healthz.
 *
 * With client/client.c the only module that knows libcurl. Any thread.
 */
#ifndef COMMON_CLIENT_URL_H
#define COMMON_CLIENT_URL_H

#include "attributes.h"

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_URL_SIZE 2048
#define CLIENT_HOST_SIZE 256

struct client_url {
    char url[CLIENT_URL_SIZE];        /* as given */
    char health_url[CLIENT_URL_SIZE]; /* the same with the path /healthz and no query */
    char host[CLIENT_HOST_SIZE];      /* a name, or an address without brackets */
    uint16_t port;
    bool secure;         /* https */
    const char *problem; /* if it is not accepted: why, in words that hold nothing of the text */
};

/* Accepts http and https. Returns 0, or -1 and sets url->problem if it is no such URL or too long.
 */
MUST_CHECK int client_url_parse(const char *text, struct client_url *url);

/* Writes the URL's neighbour: the last segment of its path is `name` instead of one of `others`
 * (NULL-terminated), and there is no query. Returns 0, or -1 if its path does not end so. */
MUST_CHECK int client_url_neighbour(const struct client_url *url, const char *const *others,
                                    const char *name, char out[CLIENT_URL_SIZE]);

#endif
