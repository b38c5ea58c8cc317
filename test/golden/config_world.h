/*
 * A made-up machine for tests of the config: the same files on every system, once as on Linux, as
 * an ordinary user and as root, and once as on Windows.
 */
#ifndef BATON_TEST_CONFIG_WORLD_H
#define BATON_TEST_CONFIG_WORLD_H

#include "core/service/service.h"

extern const struct service_machine config_world_posix;
extern const struct service_machine config_world_root; /* as on Linux, with privileges */
extern const struct service_machine config_world_windows;

/* A text that grows; the owner frees `text`. */
struct config_output {
    char *text; /* NULL = empty */
    size_t length;
    size_t capacity_bytes; /* of `text` */
};

/* A text_emit whose context is a struct config_output. Ends the process when out of memory. */
void config_output_add(void *context, const char *text);

/* Reads `bytes` into *table, which the caller clears; the faults go to *problems, unless that is
 * NULL. Returns what the core returned. */
int config_world_load(const struct service_machine *world, enum config_format format,
                      const char *file_name, const void *bytes, size_t length,
                      struct service_table *table, struct config_problems *problems);

/* True if all that the supervisor reads of them is equal: everything but line numbers. */
bool config_tables_equal(const struct service_table *a, const struct service_table *b);

/* Reads `bytes` the way the supervisor does and writes what --check would: the table, of which the
 * services alone unless `whole`, or the faults. Returns the last error code. */
int config_world_check(const struct service_machine *world, enum config_format format,
                       const char *file_name, const void *bytes, size_t length, bool whole,
                       struct config_output *out);

#endif
