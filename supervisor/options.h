/* The command line of batond: argv in, options out. No I/O, no exit. */
#ifndef BATON_OPTIONS_H
#define BATON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Texts point into argv. */
struct options {
    const char *config;           /* -c, --config; NULL = not given */
    const char *handlers;         /* --handlers; NULL = not given */
    const char *service, *client; /* --explain; NULL = not given */
    bool check, defaults;         /* `defaults` is of no use without `check` */
    bool version;
    bool help;
};

/* Reads the arguments after argv[0]. Returns true, or false with what is wrong and what would be
 * right in `message` (of `size_bytes`). */
bool options_parse(int argc, char *const *argv, struct options *out, char *message,
                   size_t size_bytes);

/* The text of --help. */
extern const char options_help[];

#endif
