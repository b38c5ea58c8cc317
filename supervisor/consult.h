/*
 * What a config file means, told to people: it is read, and no batond that runs is asked.
 */
#ifndef BATON_CONSULT_H
#define BATON_CONSULT_H

/* As `batond -c FILE --check`: prints what the file means, or all that is wrong with it. `file`
 * NULL = the one that batond would find, whose name is told on standard error. BATON_OK,
 * BATON_INVALID (the config has faults or cannot be read), BATON_NO_MEMORY, or what kept its
 * folders from being found; what is wrong has been said. Blocks on the disk. */
int consult_check(const char *file);

/* As `batond -c FILE --explain SERVICE ADDRESS`; the same codes, or BATON_NOT_FOUND: there is no
 * such service, or ADDRESS is none. */
int consult_explain(const char *file, const char *service, const char *address);

#endif
