/*
 * What a config file means, told to people: it is read, and no batond that runs is asked.
 */
#ifndef BATON_CONSULT_H
#define BATON_CONSULT_H

#include "core/service/service.h"
#include "load.h"

/* The parts, for here.c as well. */

/* Reads the services, and says all that is wrong. What the machine lacks is a fault only where
 * `is_strict`. As load_table() (load.h). */
int consult_load(const struct load_paths *paths, const struct service_machine *machine,
                 bool is_strict, struct service_table *table);

/* The one that is there, told on standard error if `is_told`; false: where one was looked for has
 * been said. */
bool consult_find_config(bool is_told, char found[PATH_BYTES]);

/* Prints what the table means, warnings, and the verdict. */
void consult_print(const struct service_table *table, const struct service_machine *machine,
                   bool has_defaults);

/* Prints what would become of the client of a service. BATON_OK, BATON_NOT_FOUND (there is no such
 * service, or no such client), or why it cannot be; that has been said. */
int consult_client(const struct service_table *table, const char *config_name, const char *name,
                   const char *client);

/* A whole file. */

/* As `batond -c FILE --check`: prints what the file means, or all that is wrong with it. `file`
 * NULL = the one that batond would find, whose name is told on standard error. `handlers`: as
 * batond's
 * --handlers; NULL = not given. BATON_OK,
 * BATON_INVALID (the config has faults or cannot be read), BATON_NO_MEMORY, or what kept its
 * folders from being found; what is wrong has been said. Blocks on the disk. */
int consult_check(const char *file, const char *handlers);

/* As `batond -c FILE --explain SERVICE ADDRESS`; the same codes, or BATON_NOT_FOUND: there is no
 * such service, or ADDRESS is none. */
int consult_explain(const char *file, const char *handlers, const char *service,
                    const char *address);

#endif
