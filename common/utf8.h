/* utf8.h - is this text? For what comes from files, servers and clients. Any thread. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the UTF-8 sequence at `text`, of which `available` bytes (at least 1) may be read; 0 if
 * there is none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t utf8_sequence_length(const char *text, size_t available);

/* Whether a sequence, whose length is what utf8_sequence_length() said, is a control: of terminals
 * (C0, DEL, C1), of lines (U+2028, U+2029), or of the direction of writing, with which a text can
 * be made to look like another (the Bidi_Control characters of Unicode's PropList: U+061C, U+200E,
 * U+200F, U+202A to U+202E, U+2066 to U+2069). */
bool utf8_is_control(const char *sequence, size_t length);

#endif
