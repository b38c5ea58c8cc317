/*
 * What a config file means, told to people: it is read, and no batond that runs is asked.
 */
#ifndef BATON_CONSULT_H
#define BATON_CONSULT_H

#include "program.h"

/* As `batond -c FILE --check`: prints what the file means, or all that is wrong with it. `file`
 * NULL = the one that batond would find, whose name is told on standard error. EXIT_DONE,
 * EXIT_CONFIG_INVALID or EXIT_SYSTEM. Blocks on the disk. */
enum exit_code consult_check(const char *file);

/* As `batond -c FILE --explain SERVICE ADDRESS`; the same codes, or EXIT_USAGE: there is no such
 * service, or ADDRESS is none. */
enum exit_code consult_explain(const char *file, const char *service, const char *address);

#endif
