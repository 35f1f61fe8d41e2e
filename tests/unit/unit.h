/* unit.h - what every unit test includes: cmocka with the headers that it wants first. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
/* clang-format on */

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Fails the test and names the case of a table that it was. */
#define FAIL_CASE(...)            \
    do {                          \
        print_error(__VA_ARGS__); \
        print_error("\n");        \
        fail();                   \
    } while (0)

#endif
