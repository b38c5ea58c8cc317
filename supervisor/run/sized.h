/*
 * supervisor_run() with smaller tables, so that a test can make thousands of supervisors. For tests
 * alone: who serves sees supervisor.h.
 */
#ifndef BATON_RUN_SIZED_H
#define BATON_RUN_SIZED_H

#include "run/supervisor.h"

#include <stdint.h>

/* As supervisor_run(), with tables for `connection_count` connections: at least as many as the
 * services of the table may have together, at most POOL_CONNECTIONS_MAX_COUNT. */
enum supervisor_result supervisor_run_sized(struct service_table *table,
                                            const struct service_machine *machine,
                                            const struct supervisor_source *source,
                                            uint32_t connection_count);

#endif
