/* page/json.h - the page as JSON, for programs: the browser's page and witness among them.
 *
 *   {"file":"...","message":"...","timestamp":"...","hash":"...","pong":42,
 *    "missing":{"message":"MESSAGE is not set"},
 *    "answered_by":{"reader":{"version":"...","commit":"...","instance":"..."},"pingpong":{...}}}
 *
 * What is missing is null, and `missing` says why; a timestamp that is stale is in both. Who
 * answered is null where it is not known. The number may be larger than 2^53. Any thread.
 */
#ifndef LOG_OUTPUT_PAGE_JSON_H
#define LOG_OUTPUT_PAGE_JSON_H

#include "attributes.h"
#include "reader/page/parts.h"

struct cJSON;

/* Returns the object, owned by the caller, or NULL if out of memory. */
MUST_CHECK struct cJSON *page_json_create(const struct page_parts *parts);

#endif
