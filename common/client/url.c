#include "client/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For a scheme or a port. */
#define PART_SIZE 16

/* Copies a part. Returns NULL, or why not: the URL has none, or it does not fit. */
static const char *copy_part(CURLU *parsed, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;

    CURLUcode code = curl_url_get(parsed, part, &text, flags);
    if (code != CURLUE_OK)
        return curl_url_strerror(code);
    int length = snprintf(out, size, "%s", text);
    curl_free(text);
    return length > 0 && (size_t)length < size ? NULL : "a part of it is empty or too long";
}

/* Copies the parts in turn, up to the first that is wrong. */
static const char *copy_parts(CURLU *parsed, struct client_url *url, char *scheme, char *port)
{
    const char *problem = copy_part(parsed, CURLUPART_SCHEME, 0, scheme, PART_SIZE);
    if (problem == NULL)
        problem = copy_part(parsed, CURLUPART_HOST, 0, url->host, sizeof url->host);
    if (problem == NULL)
        problem = copy_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, PART_SIZE);
    return problem;
}

static void strip_brackets(char *host)
{
    size_t length = strlen(host);
    if (length < 2 || host[0] != '[')
        return;
    memmove(host, host + 1, length - 2);
    host[length - 2] = '\0';
}

static const char *take_parts(CURLU *parsed, struct client_url *url)
{
    char scheme[PART_SIZE], port[PART_SIZE];

    const char *problem = copy_parts(parsed, url, scheme, port);
    if (problem != NULL)
        return problem;
    url->secure = strcmp(scheme, "https") == 0;
    if (!url->secure && strcmp(scheme, "http") != 0)
        return "it begins with neither http:// nor https://";
    url->port = (uint16_t)strtoul(port, NULL, 10);
    strip_brackets(url->host);
    if (curl_url_set(parsed, CURLUPART_PATH, "/healthz", 0) != CURLUE_OK ||
        curl_url_set(parsed, CURLUPART_QUERY, NULL, 0) != CURLUE_OK ||
        curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
        return "out of memory";
    return copy_part(parsed, CURLUPART_URL, 0, url->health_url, sizeof url->health_url);
}

/* libcurl takes the first name it finds for the host, however many slashes come before it. */
static bool has_authority(const char *text)
{
    const char *slashes = strstr(text, "://");
    return slashes != NULL && slashes[3] != '/';
}

static const char *parse(const char *text, CURLU *parsed, struct client_url *url)
{
    if (parsed == NULL)
        return "out of memory";
    if (!has_authority(text))
        return "it has no :// with a host after it";
    if (strlen(text) >= sizeof url->url)
        return "it is too long";
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    return code == CURLUE_OK ? take_parts(parsed, url) : curl_url_strerror(code);
}

int client_url_parse(const char *text, struct client_url *url)
{
    CURLU *parsed = curl_url();

    url->problem = parse(text, parsed, url);
    if (url->problem == NULL)
        snprintf(url->url, sizeof url->url, "%s", text);
    curl_url_cleanup(parsed);
    return url->problem == NULL ? 0 : -1;
}

static bool is_one_of(const char *text, const char *const *others)
{
    while (*others != NULL && strcmp(text, *others) != 0)
        others++;
    return *others != NULL;
}

static int replace_segment(CURLU *parsed, const char *const *others, const char *name)
{
    char path[CLIENT_URL_SIZE];

    if (copy_part(parsed, CURLUPART_PATH, 0, path, sizeof path) != NULL)
        return -1;
    char *segment = strrchr(path, '/') + 1;
    if (!is_one_of(segment, others) || strlen(name) >= sizeof path - (size_t)(segment - path))
        return -1;
    strcpy(segment, name);
    return curl_url_set(parsed, CURLUPART_PATH, path, 0) == CURLUE_OK ? 0 : -1;
}

int client_url_neighbour(const struct client_url *url, const char *const *others, const char *name,
                         char out[CLIENT_URL_SIZE])
{
    CURLU *parsed = curl_url();
    int result = -1;

    if (parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url->url, 0) == CURLUE_OK &&
        replace_segment(parsed, others, name) == 0 &&
        curl_url_set(parsed, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
        curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
        copy_part(parsed, CURLUPART_URL, 0, out, CLIENT_URL_SIZE) == NULL)
        result = 0;
    curl_url_cleanup(parsed);
    return result;
}
