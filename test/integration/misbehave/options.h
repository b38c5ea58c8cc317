/*
 * What a launch of `misbehave` is to do, from its arguments.
 *
 *   misbehave [--at STEP --do ACT] [--count FILE] [--times N] [--serve WHAT] [--write WHAT]
 *             [--capacity N] [--child] [--escape] [--ignore-terminate]
 *   misbehave shim ARGUMENTS    starts itself with ARGUMENTS; that process speaks
 *   misbehave wait              does nothing until it is killed
 *   misbehave hold              writes `here`, and waits for the end of its standard input
 *
 * STEP  start (in place of HELLO), hello (after HELLO), offer (after OFFER, before ACK),
 *       ack (after ACK), done (after DONE).
 * ACT   see act.h.
 * --count FILE  gains one byte for each launch, so that the size is the number of this launch.
 * --times N     misbehaves in the first N launches only (needs --count); default: always.
 * --serve WHAT  see serve.h; default: line.
 * --write WHAT  see serve.h; default: nothing.
 */
#ifndef MISBEHAVE_OPTIONS_H
#define MISBEHAVE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum step { STEP_NEVER, STEP_START, STEP_HELLO, STEP_OFFER, STEP_ACK, STEP_DONE };

struct options {
    enum step at;
    const char *act;
    const char *count_file;
    uint32_t times_count; /* 0 = always */
    const char *serve;
    const char *write;
    uint32_t capacity;
    bool child;
    bool escape;
    bool ignore_terminate;
};

/* Reads argv[1..]. Texts point into argv. Returns false for an argument that is not known. */
bool options_parse(int argc, char **argv, struct options *out);

#endif
