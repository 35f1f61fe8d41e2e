/* page/document.h - the page for a browser: one HTML document, compiled in.
 *
 * It counts nothing, and holds nothing that changes: its script asks for the page as JSON. The
 * files in browser/ are put together as they are. One thread.
 */
#ifndef LOG_OUTPUT_PAGE_DOCUMENT_H
#define LOG_OUTPUT_PAGE_DOCUMENT_H

#include "attributes.h"
#include "http/server.h"

#define PAGE_DOCUMENT_POLICY_SIZE 512
#define PAGE_DOCUMENT_HEADERS 3

struct page_document {
    char policy[PAGE_DOCUMENT_POLICY_SIZE];
    struct http_header headers[PAGE_DOCUMENT_HEADERS + 1];
};

/* Writes the Content-Security-Policy, which allows the document's own script and style by their
 * hashes, requests to where it comes from, and nothing else. The struct must stay where it is.
 * Returns 0, or -1 after logging that libcrypto makes no hash. */
MUST_CHECK int page_document_init(struct page_document *document);

void page_document_respond(const struct page_document *document, struct http_request *request);

#endif
