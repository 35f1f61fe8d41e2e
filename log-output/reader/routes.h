/* routes.h - what the reader answers. Everything belongs to the loop's thread. */
#ifndef LOG_OUTPUT_ROUTES_H
#define LOG_OUTPUT_ROUTES_H

#include "event_loop.h"
#include "faults/faults.h"
#include "http/server.h"
#include "lifecycle.h"
#include "page/document.h"
#include "page/files.h"
#include "page/lines.h"
#include "pingpong_client.h"
#include "pingpong_monitor.h"
#include "reader_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The context of the handlers. Set all but the last three, which start as zero; everything is
 * borrowed, and has to be there before the first request. */
struct routes {
    const struct reader_settings *settings;
    const struct lifecycle *lifecycle;
    const struct http_server *server;
    struct faults *faults;
    const struct pingpong_monitor *monitor;
    struct pingpong_client *client;
    struct page_document document;
    struct page_files files;
    bool has_new_view;
    char lines[PAGE_LINES_SIZE];
};

extern const struct http_route routes_table[];
extern const size_t routes_count;

/* For struct pingpong_client_options: answers a view, and says whether its viewer is there. */
void routes_on_pong(void *view, const struct pong *pong);
bool routes_is_wanted(void *view);

/* A step for the loop, after those of the server and the client, with the routes as its context:
 * reads the files for new views when their requests to pingpong have left. */
int64_t routes_step(void *routes, int64_t now_ms);

#endif
