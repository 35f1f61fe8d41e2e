/* attributes.h - compiler attributes used throughout, under readable names. */
#ifndef COMMON_ATTRIBUTES_H
#define COMMON_ATTRIBUTES_H

/* The caller must look at what the function returns: it can fail. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* The format string is argument `text`, its values start at argument `first`. */
#define PRINTF_LIKE(text, first) __attribute__((__format__(printf, text, first)))

#endif
