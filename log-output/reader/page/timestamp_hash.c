#include "reader/page/timestamp_hash.h"

#include "log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

const char *timestamp_hash_of(struct timestamp_hash *hash, const char *timestamp)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    if (hash->hex[0] != '\0' && strcmp(hash->timestamp, timestamp) == 0)
        return hash->hex;
    hash->hex[0] = '\0';
    /* Without this the library reads its configuration and keeps all of it: memory for nothing. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    if (EVP_Digest(timestamp, strlen(timestamp), digest, &length, EVP_sha256(), NULL) != 1) {
        log_error("cannot make a SHA-256", NULL);
        return hash->hex;
    }
    for (unsigned i = 0; i < length && 2 * i + 2 < TIMESTAMP_HASH_SIZE; i++)
        snprintf(hash->hex + 2 * i, 3, "%02x", digest[i]);
    snprintf(hash->timestamp, sizeof hash->timestamp, "%s", timestamp);
    return hash->hex;
}
