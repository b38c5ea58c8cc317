/* The command line of batond: argv in, options out. No I/O, no exit. */
#ifndef BATON_OPTIONS_H
#define BATON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Texts point into argv; NULL = not given. In the order of options.c. */
struct options {
    const char *config;   /* -c, --config; "-" = standard input */
    const char *handlers; /* --handlers */
    const char *format;   /* --format, of standard input */
    const char *service;  /* --explain */
    const char *client;   /* the same */
    bool check, defaults; /* `defaults` is of no use without `check` */
    bool version;
    bool help;
    bool is_yaml; /* what `format` says */
};

/* Reads the arguments after argv[0], by getopt_long(3), so by one thread at a time. Returns true,
 * or false with what is wrong and what would be right in `message` (of `size_bytes`). */
bool options_parse(int argc, char *const *argv, struct options *out, char *message,
                   size_t size_bytes);

/* The text of --help. */
extern const char options_help[];

#endif
