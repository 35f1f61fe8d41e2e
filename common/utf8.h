/* utf8.h - is this text? For what comes from files, servers and clients. Any thread. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

/* Length of the UTF-8 sequence at `text`, of which `available` bytes (at least 1) may be read; 0 if
 * there is none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t utf8_sequence_length(const char *text, size_t available);

#endif
