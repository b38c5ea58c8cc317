/* The command line of batond: argv in, options out. No I/O, no exit. */
#ifndef BATON_OPTIONS_H
#define BATON_OPTIONS_H

#include "core/config/config.h"

#include <stdbool.h>
#include <stddef.h>

/* Texts point into argv. */
struct options {
    const char *config;           /* -c, --config; NULL = not given, "-" = standard input */
    const char *handlers;         /* --handlers; NULL = not given */
    const char *service, *client; /* --explain; NULL = not given */
    bool check, defaults;         /* `defaults` is of no use without `check` */
    enum config_format format;    /* --format, of standard input */
    bool has_format;
    bool version;
    bool help;
};

/* Reads the arguments after argv[0], by getopt_long(3), so by one thread at a time. Returns true,
 * or false with what is wrong and what would be right in `message` (of `size_bytes`). */
bool options_parse(int argc, char *const *argv, struct options *out, char *message,
                   size_t size_bytes);

/* The text of --help. */
extern const char options_help[];

#endif
