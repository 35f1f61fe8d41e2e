#include "client/transfer.h"

#include "client/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of libcurl's buffers for receiving and, where it has one for each handle, sending: what is asked
 * for and answered here is a few hundred bytes. */
#define BUFFER_BYTES 1024L

#define TRACE_HEADER "traceparent: "

/* An address's, a connection's name and a port's. */
#define ENTRY_SIZE 1024

struct client_transfer {
    struct client_multi *multi;
    const struct client_options *options;
    CURL *easy;
    struct curl_slist *headers; /* the first is the traceparent, written anew for each request */
    struct curl_slist *type;    /* of a body; its tail is `headers` */
    struct curl_slist *more;    /* of this request; its tail is one of those two */
    struct curl_slist *route;   /* see set_route() */
    struct curl_slist *resolve; /* the addresses given to the handle */
    unsigned generation;        /* of those addresses */
    unsigned serial;            /* of the connection */
    unsigned serial_resolved;   /* of the one that `resolve` is for */
    const char *url;            /* given to the handle */
    void *owner;
    bool sent;     /* the request was let out; another time it is not */
    bool repeated; /* libcurl wanted it to be */
    struct client_reply reply;
    char body[]; /* the reply's */
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

static CURLcode set_up_callbacks(struct client_transfer *transfer)
{
    CURLcode failed = CURLE_OK;

    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PREREQFUNCTION, on_request);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PREREQDATA, transfer);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, client_reply_take_body);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, &transfer->reply);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_HEADERFUNCTION, client_reply_take_head);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_HEADERDATA, &transfer->reply);
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
    failed |=
        curl_easy_setopt(transfer->easy, CURLOPT_MAXAGE_CONN, CLIENT_REPLY_IDLE_MAX_MS / 1000L);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_MAXLIFETIME_CONN, age_s);
    return failed;
}

static CURLcode set_up_handle(struct client_transfer *transfer)
{
    CURLcode failed = set_up_callbacks(transfer);

    failed |= allow_http_only(transfer->easy);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_PROXY, "");
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    failed |= set_up_reuse(transfer);
    return failed;
}

/* Frees the beginning of a list, up to what is another one. */
static void free_until(struct curl_slist *list, const struct curl_slist *end)
{
    while (list != NULL && list != end) {
        struct curl_slist *next = list->next;
        list->next = NULL;
        curl_slist_free_all(list);
        list = next;
    }
}

static void drop_more(struct client_transfer *transfer)
{
    const struct curl_slist *end = transfer->more;
    while (end != NULL && end != transfer->headers && end != transfer->type)
        end = end->next;
    free_until(transfer->more, end);
    transfer->more = NULL;
}

void client_transfer_destroy(struct client_transfer *transfer)
{
    if (transfer == NULL)
        return;
    curl_easy_cleanup(transfer->easy);
    drop_more(transfer);
    free_until(transfer->type, transfer->headers);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->route);
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
    size_t body_size = client_reply_body_size(options);
    struct client_transfer *transfer = calloc(1, sizeof *transfer + body_size);
    if (transfer == NULL)
        return NULL;
    transfer->multi = multi;
    transfer->options = options;
    client_reply_init(&transfer->reply, options, transfer->body);
    transfer->headers = make_headers(options);
    transfer->type = curl_slist_append(NULL, "Content-Type: application/json");
    transfer->easy = curl_easy_init();
    if (transfer->type != NULL)
        transfer->type->next = transfer->headers;
    client_transfer_renew(transfer);
    if (transfer->headers == NULL || transfer->type == NULL || transfer->easy == NULL ||
        set_up_handle(transfer) != CURLE_OK) {
        client_transfer_destroy(transfer);
        return NULL;
    }
    return transfer;
}

void client_transfer_renew(struct client_transfer *transfer)
{
    static unsigned serial;

    if (++serial == 0)
        serial = 1;
    transfer->serial = serial;
}

/* The addresses that are known, beginning with another one for each connection: one that hangs
 * hides no other. */
static void write_addresses(const struct client_transfer *transfer, char *out, size_t size)
{
    const struct client_options *options = transfer->options;
    enum client_addresses_state state = client_addresses_state(options->addresses);
    bool numeric = state == CLIENT_ADDRESSES_NUMERIC;
    const char *list = client_addresses_list(options->addresses), *begin = list;
    unsigned commas = 0;

    if (numeric) {
        snprintf(out, size, strchr(options->host->host, ':') == NULL ? "%s" : "[%s]",
                 options->host->host);
        return;
    }
    for (const char *c = list; *c != '\0'; c++)
        commas += *c == ',';
    for (unsigned skip = transfer->serial % (commas + 1); skip > 0; skip--)
        begin = strchr(begin, ',') + 1;
    int before = (int)(begin - list);
    snprintf(out, size, "%s%s%.*s", begin, before > 0 ? "," : "", before > 0 ? before - 1 : 0,
             list);
}

/* libcurl shares connections among the transfers to one host and port, and chooses. A name of its
 * own for where to connect to gives a transfer a connection of its own. The name is never looked
 * up: libcurl would do that in a thread for each connection, and wait for that thread when the
 * transfer ends. It is given the addresses that are known. */
static int set_route(struct client_transfer *transfer)
{
    unsigned port = transfer->options->host->port;
    unsigned generation = client_addresses_generation(transfer->options->addresses);
    char addresses[ENTRY_SIZE / 2], entry[ENTRY_SIZE];
    struct curl_slist *route, *resolve = NULL, *last;

    if (transfer->serial_resolved == transfer->serial && transfer->generation == generation)
        return 0;
    snprintf(entry, sizeof entry, "::c%u.client:%u", transfer->serial, port);
    route = curl_slist_append(NULL, entry);
    write_addresses(transfer, addresses, sizeof addresses);
    snprintf(entry, sizeof entry, "c%u.client:%u:%s", transfer->serial, port, addresses);
    last = resolve = curl_slist_append(NULL, entry);
    if (resolve != NULL && transfer->serial_resolved != transfer->serial) {
        snprintf(entry, sizeof entry, "-c%u.client:%u", transfer->serial_resolved, port);
        last = curl_slist_append(resolve, entry);
    }
    if (route == NULL || last == NULL ||
        curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, route) != CURLE_OK ||
        curl_easy_setopt(transfer->easy, CURLOPT_RESOLVE, resolve) != CURLE_OK) {
        curl_slist_free_all(route);
        curl_slist_free_all(resolve);
        return -1;
    }
    curl_slist_free_all(transfer->route);
    curl_slist_free_all(transfer->resolve);
    transfer->route = route;
    transfer->resolve = resolve;
    transfer->serial_resolved = transfer->serial;
    transfer->generation = generation;
    return 0;
}

/* Puts the request's own header lines before those of all. */
static int set_headers(struct client_transfer *transfer, const struct client_request *request)
{
    struct curl_slist *end = request->body == NULL ? transfer->headers : transfer->type;
    struct curl_slist *last = NULL;

    drop_more(transfer);
    for (size_t i = 0; request->lines != NULL && request->lines[i] != NULL; i++) {
        struct curl_slist *line = curl_slist_append(NULL, request->lines[i]);
        if (line == NULL)
            return -1;
        line->next = end;
        if (last == NULL)
            transfer->more = line;
        else
            last->next = line;
        last = line;
    }
    struct curl_slist *all = transfer->more == NULL ? end : transfer->more;
    return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, all) == CURLE_OK ? 0 : -1;
}

static int set_request(struct client_transfer *transfer, const struct client_request *request)
{
    const struct client_options *options = transfer->options;
    const char *url = request->url == NULL ? options->url : request->url;
    int64_t connect_timeout_ms = request->connect_timeout_ms == 0 ? options->connect_timeout_ms
                                                                  : request->connect_timeout_ms;
    CURLcode failed = CURLE_OK;

    if (transfer->url != url)
        failed |= curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    transfer->url = url;
    failed |= curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_timeout_ms);
    if (request->body == NULL) {
        failed |= curl_easy_setopt(transfer->easy, CURLOPT_HTTPGET, 1L);
    } else {
        failed |=
            curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body));
        failed |= curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, request->body);
    }
    return failed == CURLE_OK ? 0 : -1;
}

int client_transfer_start(struct client_transfer *transfer, const struct client_request *request,
                          const char *trace_parent, void *owner)
{
    memcpy(transfer->headers->data + sizeof TRACE_HEADER - 1, trace_parent, TRACE_PARENT_SIZE - 1);
    transfer->owner = owner;
    transfer->sent = transfer->repeated = false;
    client_reply_begin(&transfer->reply);
    if (set_route(transfer) != 0 || set_headers(transfer, request) != 0 ||
        set_request(transfer, request) != 0)
        return -1;
    CURLMcode failed = curl_multi_add_handle(client_multi_handle(transfer->multi), transfer->easy);
    return failed == CURLM_OK ? 0 : -1;
}

bool client_transfer_was_sent(const struct client_transfer *transfer)
{
    return transfer->sent;
}

bool client_transfer_has_connected(const struct client_transfer *transfer)
{
    long connections = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
    return connections > 0;
}

int64_t client_transfer_idle_ms(const struct client_transfer *transfer)
{
    return transfer->reply.idle_ms;
}

void client_transfer_stop(struct client_transfer *transfer)
{
    curl_multi_remove_handle(client_multi_handle(transfer->multi), transfer->easy);
}

static enum client_result translate(CURLcode code, const struct client_transfer *transfer)
{
    if (transfer->reply.too_large)
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
    client_reply_fill(&transfer->reply, answer);
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
