/* settings.h - a program's settings: one table, read whole from the environment, checked, printed.
 *
 * A row names the variable, where its value goes, its default, what is accepted and what it is
 * for; --help prints the rows. A variable that is unset or empty takes its default. Call from the
 * main thread, before others start.
 */
#ifndef COMMON_SETTINGS_H
#define COMMON_SETTINGS_H

#include "attributes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum setting_type {
    SETTING_STRING,  /* const char *, borrowed from the environment or the table */
    SETTING_INTEGER, /* int64_t, decimal, within minimum and maximum */
    SETTING_BOOLEAN, /* bool: true or false */
    SETTING_SHARE,   /* double, decimal, from 0 to 1 */
    SETTING_CHOICE,  /* int: the index of the word in choices */
    SETTING_HOSTS,   /* const char *, borrowed: a list for host_list_parse() */
    SETTING_PORTS,   /* the same: its ports */
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;             /* of the field in the program's own struct */
    const char *default_value; /* as it would be written in the environment; NULL: none */
    int64_t minimum, maximum;  /* SETTING_INTEGER */
    const char *choices;       /* SETTING_CHOICE: words separated by spaces */
    const char *help;
};

/* Fills the fields of `target`. Returns 0, or -1 after logging a line for each variable whose
 * value is not accepted, with the value, unless it may hold a password, and what is accepted. */
MUST_CHECK int settings_load(const struct setting *table, size_t count, void *target);

/* Prints the table for a person. */
void settings_print(const struct setting *table, size_t count, FILE *out);

#endif
