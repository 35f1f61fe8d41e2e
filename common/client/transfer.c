#include "client/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of libcurl's buffers for receiving and, where it has one for each handle, sending: what is asked
 * for and answered here is a few hundred bytes. */
#define BUFFER_BYTES 1024L

/* An answer's whole head; ours has about 150 bytes. */
#define HEAD_MAX_BYTES 8192

#define TRACE_HEADER "traceparent: "

struct client_transfer {
    struct client_multi *multi;
    const struct client_options *options;
    CURL *easy;
    struct curl_slist *headers; /* the first is the traceparent, written anew for each request */
    struct curl_slist *resolve; /* the addresses given to the handle */
    unsigned generation;        /* of those addresses */
    void *owner;
    size_t head_bytes;
    size_t body_max_bytes;
    size_t length;
    bool too_large;
    bool sent;     /* the request was let out; another time it is not */
    bool repeated; /* libcurl wanted it to be */
    const char *header_values[CLIENT_HEADERS_MAX];
    char header_buffers[CLIENT_HEADERS_MAX][CLIENT_HEADER_SIZE];
    char body[]; /* body_max_bytes and a terminator */
};

int client_global_init(bool secure)
{
    return curl_global_init(secure ? CURL_GLOBAL_SSL : CURL_GLOBAL_NOTHING) == CURLE_OK ? 0 : -1;
}

void client_global_cleanup(void)
{
    curl_global_cleanup();
}

/* CURLOPT_PREREQFUNCTION: called each time a request is about to be sent. libcurl repeats one on a
 * kept-alive connection that ended without a byte of the answer, though it may have been served. */
static int on_request(void *context, char *address, char *local_address, int port, int local_port)
{
    struct client_transfer *transfer = context;

    (void)address;
    (void)local_address;
    (void)port;
    (void)local_port;
    transfer->repeated = transfer->sent;
    transfer->sent = true;
    return transfer->repeated ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void keep_header(struct client_transfer *transfer, size_t index, const char *value,
                        size_t length)
{
    while (length > 0 && strchr(" \t", *value) != NULL) {
        value++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL)
        length--;
    snprintf(transfer->header_buffers[index], CLIENT_HEADER_SIZE, "%.*s", (int)length, value);
}

static void look_for_header(struct client_transfer *transfer, const char *line, size_t length)
{
    const struct client_options *options = transfer->options;

    for (size_t i = 0; i < options->header_count; i++) {
        size_t name_length = strlen(options->headers[i]);
        if (length > name_length && line[name_length] == ':' &&
            strncasecmp(line, options->headers[i], name_length) == 0)
            keep_header(transfer, i, line + name_length + 1, length - name_length - 1);
    }
}

/* CURLOPT_HEADERFUNCTION: called for each line; an endless head ends here. */
static size_t on_head(char *data, size_t size, size_t count, void *context)
{
    struct client_transfer *transfer = context;

    transfer->head_bytes += size * count;
    transfer->too_large = transfer->too_large || transfer->head_bytes > HEAD_MAX_BYTES;
    if (transfer->too_large)
        return 0;
    look_for_header(transfer, data, size * count);
    return size * count;
}

/* CURLOPT_WRITEFUNCTION */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct client_transfer *transfer = context;
    size_t length = size * count;

    if (length > transfer->body_max_bytes - transfer->length) {
        transfer->too_large = true;
        return 0;
    }
    memcpy(transfer->body + transfer->length, data, length);
    transfer->length += length;
    return length;
}

static CURLcode set_up_callbacks(struct client_transfer *transfer)
{
    CURLcode failed = CURLE_OK;

    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PREREQFUNCTION, on_request);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PREREQDATA, transfer);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_body);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_HEADERFUNCTION, on_head);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_HEADERDATA, transfer);
    failed |=
        curl_easy_setopt(transfer->easy, CURLOPT_CLOSESOCKETFUNCTION, client_multi_close_socket);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_CLOSESOCKETDATA, transfer->multi);
    return failed;
}

/* libcurl has taken the protocols' names since 7.85; Ubuntu 22.04 has 7.81. */
static CURLcode allow_http_only(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static CURLcode set_up_reuse(struct client_transfer *transfer)
{
    long age_s = (long)((transfer->options->connection_age_ms + 999) / 1000);
    CURLcode failed = CURLE_OK;

    if (age_s == 0) {
        failed |= curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
        failed |= curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
        return failed;
    }
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_MAXAGE_CONN, age_s);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_MAXLIFETIME_CONN, age_s);
    return failed;
}

static CURLcode set_up_handle(struct client_transfer *transfer)
{
    const struct client_options *options = transfer->options;
    CURLcode failed = set_up_callbacks(transfer);

    failed |= curl_easy_setopt(transfer->easy, CURLOPT_URL, options->url);
    failed |= allow_http_only(transfer->easy);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PROXY, "");
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
                               (long)options->connect_timeout_ms);
    failed |= set_up_reuse(transfer);
    return failed;
}

void client_transfer_destroy(struct client_transfer *transfer)
{
    if (transfer == NULL)
        return;
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->resolve);
    free(transfer);
}

/* libcurl borrows the list, so writing into an element changes the header of the next request. */
static struct curl_slist *make_headers(const struct client_options *options)
{
    char placeholder[sizeof TRACE_HEADER + TRACE_PARENT_SIZE];
    char accept[CLIENT_HEADER_SIZE];

    snprintf(accept, sizeof accept, "Accept: %s",
             options->accept == NULL ? "application/json" : options->accept);
    snprintf(placeholder, sizeof placeholder, TRACE_HEADER "%0*d", TRACE_PARENT_SIZE - 1, 0);
    struct curl_slist *headers = curl_slist_append(NULL, placeholder);
    if (headers != NULL && curl_slist_append(headers, accept) == NULL) {
        curl_slist_free_all(headers);
        return NULL;
    }
    return headers;
}

struct client_transfer *client_transfer_create(struct client_multi *multi,
                                               const struct client_options *options)
{
    size_t body_max_bytes =
        options->body_max_bytes == 0 ? CLIENT_BODY_MAX_BYTES_DEFAULT : options->body_max_bytes;
    struct client_transfer *transfer = calloc(1, sizeof *transfer + body_max_bytes + 1);
    if (transfer == NULL)
        return NULL;
    transfer->multi = multi;
    transfer->options = options;
    transfer->body_max_bytes = body_max_bytes;
    for (size_t i = 0; i < CLIENT_HEADERS_MAX; i++)
        transfer->header_values[i] = transfer->header_buffers[i];
    transfer->headers = make_headers(options);
    transfer->easy = curl_easy_init();
    if (transfer->headers == NULL || transfer->easy == NULL ||
        set_up_handle(transfer) != CURLE_OK) {
        client_transfer_destroy(transfer);
        return NULL;
    }
    return transfer;
}

/* libcurl looks a name up in a thread for each connection, and waits for that thread when the
 * transfer ends: it is never let, but given the addresses that are known. */
static int give_addresses(struct client_transfer *transfer)
{
    const struct client_options *options = transfer->options;
    unsigned generation = client_addresses_generation(options->addresses);
    char entry[1024];

    if (transfer->generation == generation)
        return 0;
    snprintf(entry, sizeof entry, "%s:%u:%s", options->host->host, (unsigned)options->host->port,
             client_addresses_list(options->addresses));
    struct curl_slist *resolve = curl_slist_append(NULL, entry);
    if (resolve == NULL || curl_easy_setopt(transfer->easy, CURLOPT_RESOLVE, resolve) != CURLE_OK) {
        curl_slist_free_all(resolve);
        return -1;
    }
    curl_slist_free_all(transfer->resolve);
    transfer->resolve = resolve;
    transfer->generation = generation;
    return 0;
}

int client_transfer_start(struct client_transfer *transfer, const char *trace_parent, void *owner)
{
    memcpy(transfer->headers->data + sizeof TRACE_HEADER - 1, trace_parent, TRACE_PARENT_SIZE - 1);
    transfer->owner = owner;
    transfer->head_bytes = 0;
    transfer->length = 0;
    transfer->too_large = transfer->sent = transfer->repeated = false;
    for (size_t i = 0; i < transfer->options->header_count; i++)
        transfer->header_buffers[i][0] = '\0';
    if (give_addresses(transfer) != 0)
        return -1;
    CURLMcode failed = curl_multi_add_handle(client_multi_handle(transfer->multi), transfer->easy);
    return failed == CURLM_OK ? 0 : -1;
}

bool client_transfer_was_sent(const struct client_transfer *transfer)
{
    return transfer->sent;
}

void client_transfer_stop(struct client_transfer *transfer)
{
    curl_multi_remove_handle(client_multi_handle(transfer->multi), transfer->easy);
}

static enum client_result translate(CURLcode code, const struct client_transfer *transfer)
{
    if (transfer->too_large)
        return CLIENT_NONSENSE;
    if (transfer->repeated)
        return CLIENT_CONNECTION_LOST;
    switch (code) {
    case CURLE_OK:
        return CLIENT_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
        return CLIENT_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: /* only the connect timeout is libcurl's */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return CLIENT_UNREACHABLE;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return CLIENT_CONNECTION_LOST;
    default:
        return CLIENT_NONSENSE;
    }
}

static void fill_answer(struct client_transfer *transfer, struct client_answer *answer)
{
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer->status);
    if (answer->status != 200)
        answer->result = CLIENT_BAD_STATUS;
    transfer->body[transfer->length] = '\0';
    answer->body = transfer->body;
    answer->length = transfer->length;
    answer->headers = transfer->header_values;
}

void *client_transfer_next_done(struct client_multi *multi, struct client_answer *answer)
{
    struct client_transfer *transfer = NULL;
    int left;

    CURLMsg *message = curl_multi_info_read(client_multi_handle(multi), &left);
    if (message == NULL)
        return NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
    *answer =
        (struct client_answer){.result = translate(message->data.result, transfer), .body = ""};
    if (answer->result == CLIENT_OK)
        fill_answer(transfer, answer);
    return transfer->owner;
}
