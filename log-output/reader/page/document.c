#include "reader/page/document.h"

#include "log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

/* The tags stand here, for a hash is that of what is between them. */
__asm__(".pushsection .rodata\n"
        "page_document:\n"
        ".incbin \"reader/page/browser/head.html\"\n"
        ".ascii \"<style>\"\n"
        "page_document_style:\n"
        ".incbin \"reader/page/browser/style.css\"\n"
        "page_document_style_end:\n"
        ".ascii \"</style>\\n\"\n"
        ".incbin \"reader/page/browser/body.html\"\n"
        ".ascii \"<script>\"\n"
        "page_document_script:\n"
        ".incbin \"reader/page/browser/script.js\"\n"
        "page_document_script_end:\n"
        ".ascii \"</script>\\n\"\n"
        ".incbin \"reader/page/browser/tail.html\"\n"
        "page_document_end:\n"
        ".popsection\n");

#define ASSEMBLED extern const char __attribute__((visibility("hidden")))

ASSEMBLED page_document[], page_document_end[];
ASSEMBLED page_document_style[], page_document_style_end[];
ASSEMBLED page_document_script[], page_document_script_end[];

#define SHA256_BYTES 32
#define BASE64_SIZE 45

static int hash(const char *begin, const char *end, char out[BASE64_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    /* As for the timestamp's hash. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    if (EVP_Digest(begin, (size_t)(end - begin), digest, &length, EVP_sha256(), NULL) != 1 ||
        length != SHA256_BYTES)
        return -1;
    EVP_EncodeBlock((unsigned char *)out, digest, SHA256_BYTES);
    return 0;
}

int page_document_init(struct page_document *document)
{
    char style[BASE64_SIZE], script[BASE64_SIZE];

    if (hash(page_document_style, page_document_style_end, style) != 0 ||
        hash(page_document_script, page_document_script_end, script) != 0) {
        log_error("cannot make a SHA-256", NULL);
        return -1;
    }
    snprintf(document->policy, sizeof document->policy,
             "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; "
             "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
             "frame-ancestors 'none'; require-trusted-types-for 'script'",
             script, style);
    const struct http_header headers[PAGE_DOCUMENT_HEADERS] = {
        {"Vary", "Accept"},
        {"Content-Security-Policy", document->policy},
        {"Referrer-Policy", "no-referrer"},
    };
    for (size_t i = 0; i < PAGE_DOCUMENT_HEADERS; i++)
        document->headers[i] = headers[i];
    return 0;
}

void page_document_respond(const struct page_document *document, struct http_request *request)
{
    http_request_set_headers(request, document->headers);
    http_respond_constant(request, 200, "text/html; charset=utf-8", page_document,
                          (size_t)(page_document_end - page_document));
}
