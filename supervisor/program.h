/* What the programs of this folder have in common. */
#ifndef BATON_PROGRAM_H
#define BATON_PROGRAM_H

/* sysexits.h, where it exists; the numbers are the same on every system. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* batonctl alone, as those of 69, 75, 76, 77: batond has refused it */
    EXIT_USAGE = 64,
    EXIT_NOBODY = 69, /* no batond there */
    EXIT_SYSTEM = 71,
    EXIT_OUTPUT = 74, /* standard output did not take all that was printed */
    EXIT_LATE = 75,   /* no answer in time */
    EXIT_ANSWER = 76, /* the answer cannot be read */
    EXIT_DENIED = 77,
    EXIT_CONFIG_INVALID = 78
};

/* Each program defines its own. */
extern const char program_name[];

/* Writes "PROGRAM: error: WHAT: WHY" to standard error. */
void complain(const char *what, const char *why);

/* Standard output and standard error for the core, as its text_emit. `context` is ignored. */
void print_out(void *context, const char *text);
void print_error(void *context, const char *text);

/* What the program ends with: `code`, or EXIT_OUTPUT, and a word about it, where all went well but
 * that print_out() could not write. */
enum exit_code program_end(enum exit_code code);

#endif
