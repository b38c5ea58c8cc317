/*
 * A made-up machine for tests of the import: it has the files of one folder, a few services, and
 * every program.
 */
#ifndef BATON_TEST_IMPORT_WORLD_H
#define BATON_TEST_IMPORT_WORLD_H

#include "core/service/service.h"
#include "import/import.h"

/* A file of the machine. */
struct import_file {
    const char *path; /* NULL ends a list */
    const char *bytes;
    size_t length;
};

/* A machine with these files; `files` must outlive it. A folder is what paths have before a `/`. */
struct import_machine import_world_of(const struct import_file *files);

/* Where every absolute path is a program or a folder, and the handlers folder holds ours. */
extern const struct service_machine import_world_services;

/* Builds the table that the inetd.conf at `path` makes as it is, beside the main config
 * "main.ini": guests of that (config/problems.h), for import_world_services. Returns what
 * import_inetd() did unless that is BATON_OK, then what the table did. The caller clears both. */
int import_world_serve(const struct import_machine *machine, const char *path, const char *main_ini,
                       struct service_table *table, struct config_problems *problems);

/* A port of the few services that this machine knows; as in struct service_machine. */
int import_world_find_port(void *context, const char *name, bool udp, uint16_t *port);

#endif
