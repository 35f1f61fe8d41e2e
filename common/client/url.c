#include "client/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies a part; -1 if the URL has none or it does not fit. */
static int copy_part(CURLU *parsed, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;

    if (curl_url_get(parsed, part, &text, flags) != CURLUE_OK)
        return -1;
    int length = snprintf(out, size, "%s", text);
    curl_free(text);
    return length > 0 && (size_t)length < size ? 0 : -1;
}

static void strip_brackets(char *host)
{
    size_t length = strlen(host);
    if (length < 2 || host[0] != '[')
        return;
    memmove(host, host + 1, length - 2);
    host[length - 2] = '\0';
}

static int take_parts(CURLU *parsed, struct client_url *url)
{
    char scheme[16], port[16];

    if (copy_part(parsed, CURLUPART_SCHEME, 0, scheme, sizeof scheme) != 0 ||
        copy_part(parsed, CURLUPART_HOST, 0, url->host, sizeof url->host) != 0 ||
        copy_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port) != 0)
        return -1;
    url->secure = strcmp(scheme, "https") == 0;
    if (!url->secure && strcmp(scheme, "http") != 0)
        return -1;
    url->port = (uint16_t)strtoul(port, NULL, 10);
    strip_brackets(url->host);
    if (curl_url_set(parsed, CURLUPART_PATH, "/healthz", 0) != CURLUE_OK ||
        curl_url_set(parsed, CURLUPART_QUERY, NULL, 0) != CURLUE_OK ||
        curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
        return -1;
    return copy_part(parsed, CURLUPART_URL, 0, url->health_url, sizeof url->health_url);
}

/* libcurl takes the first name it finds for the host, however many slashes come before it. */
static bool has_authority(const char *text)
{
    const char *slashes = strstr(text, "://");
    return slashes != NULL && slashes[3] != '/';
}

int client_url_parse(const char *text, struct client_url *url)
{
    int result = -1;
    CURLU *parsed = curl_url();

    if (parsed != NULL && has_authority(text) && strlen(text) < sizeof url->url &&
        curl_url_set(parsed, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        take_parts(parsed, url) == 0) {
        snprintf(url->url, sizeof url->url, "%s", text);
        result = 0;
    }
    curl_url_cleanup(parsed);
    return result;
}
