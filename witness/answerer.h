/* witness/answerer.h - who answered, by the headers that tell it. Touches nothing else. */
#ifndef WITNESS_ANSWERER_H
#define WITNESS_ANSWERER_H

#define ANSWERER_VERSION_SIZE 64
#define ANSWERER_INSTANCE_SIZE 256

/* A service that does not say it has "". */
struct answerer {
    char version[ANSWERER_VERSION_SIZE];
    char commit[ANSWERER_VERSION_SIZE];
    char instance[ANSWERER_INSTANCE_SIZE];
};

#endif
