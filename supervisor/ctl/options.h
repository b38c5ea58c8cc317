/* The command line of batonctl: argv in, options out. No I/O, no exit. */
#ifndef BATON_CTL_OPTIONS_H
#define BATON_CTL_OPTIONS_H

#include "ctl/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts point into argv. */
struct ctl_options {
    const char *control;  /* --control; NULL = not given */
    const char *handlers; /* --handlers, of a command that consults a config; NULL = not given */
    uint32_t timeout_s;   /* --timeout; 0 = not given */
    bool json, wait;
    bool help, version;                /* then nothing else is looked at */
    const struct ctl_command *command; /* never NULL without `help` and `version` */
    char *const *words;
    size_t word_count;
};

/* Reads the arguments after argv[0], by getopt_long(3), which changes their order. Returns true, or
 * false with what is wrong and what would be right in `message` (of `size_bytes`). */
bool ctl_options_parse(int argc, char **argv, struct ctl_options *out, char *message,
                       size_t size_bytes);

/* The text of --help. */
extern const char ctl_options_help[];

#endif
