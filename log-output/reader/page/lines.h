/* page/lines.h - the page as text: four lines. Touches nothing else. Any thread. */
#ifndef LOG_OUTPUT_PAGE_LINES_H
#define LOG_OUTPUT_PAGE_LINES_H

#include "reader/page/parts.h"

#include <stddef.h>

/* Large enough for any page. */
#define PAGE_LINES_SIZE (2 * PAGE_TEXT_SIZE + 16384)

/* Writes the four lines, without terminator, and returns their length. Whatever the texts hold,
 * they are four lines of UTF-8. */
size_t page_lines_write(const struct page_parts *parts, char out[PAGE_LINES_SIZE]);

#endif
