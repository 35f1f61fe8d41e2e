/* program.h - what the programs have in common on their command line. */
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

#include "settings.h"

#include <stddef.h>

/* Set by the build: the release and the commit the program was made from. */
extern const char program_version[];
extern const char program_commit[];

struct program {
    const char *name;
    const char *summary; /* a sentence: what the program does */
    const char *options; /* lines for further options in --help, or NULL */
    const struct setting *settings;
    size_t setting_count;
};

enum program_action {
    PROGRAM_RUN,     /* no argument: do the work */
    PROGRAM_DONE,    /* --help or --version was printed: exit with success */
    PROGRAM_OPTION,  /* the one argument is `option`, which the program knows */
    PROGRAM_REFUSED, /* something else was given; the reason is on standard error */
};

/* Looks at the arguments. `option` is a further option that the program takes, or NULL. Main
 * thread only. */
enum program_action program_parse_arguments(const struct program *program, const char *option,
                                            int argc, char **argv);

#endif
