#include "program.h"

#include <stdio.h>
#include <string.h>

#ifndef LOG_PONG_VERSION
#error "the build sets LOG_PONG_VERSION"
#endif
#ifndef LOG_PONG_COMMIT
#error "the build sets LOG_PONG_COMMIT"
#endif

const char program_version[] = LOG_PONG_VERSION;
const char program_commit[] = LOG_PONG_COMMIT;

static void print_help(const struct program *program)
{
    printf("Usage: %s [--help | --version%s]\n\n%s\n\n", program->name,
           program->options == NULL ? "" : " | OPTION", program->summary);
    printf("Options:\n  --help      print this and exit\n  --version   print version and commit "
           "and exit\n%s\nSettings, from the environment:\n",
           program->options == NULL ? "" : program->options);
    settings_print(program->settings, program->setting_count, stdout);
}

enum program_action program_parse_arguments(const struct program *program, const char *option,
                                            int argc, char **argv)
{
    if (argc <= 1)
        return PROGRAM_RUN;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help(program);
        return PROGRAM_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("%s %s (commit %s)\n", program->name, program_version, program_commit);
        return PROGRAM_DONE;
    }
    if (argc == 2 && option != NULL && strcmp(argv[1], option) == 0)
        return PROGRAM_OPTION;
    fprintf(stderr,
            "%s: unknown argument '%s'; settings come from the environment, see %s --help\n",
            program->name, argc == 2 ? argv[1] : argv[2], program->name);
    return PROGRAM_REFUSED;
}
