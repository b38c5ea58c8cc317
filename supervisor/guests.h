/* The services of an inetd.conf, `[supervisor] inetd_conf`: read by the rules of baton-import, and
 * added to the config as guests (config/problems.h). */
#ifndef BATON_GUESTS_H
#define BATON_GUESTS_H

#include "core/config/config.h"
#include "load.h"

/* Reads the file that the config, which has been read, names; none, and nothing is done. `buffer`,
 * of CONFIG_FILE_MAX_BYTES, takes one file after the other. A file that is not there has no
 * service, which is a warning; one that cannot be read is a fault of the config. Blocks on the
 * disk, and on whom the system asks for names of services. False when out of memory. */
bool guests_read(const struct load_paths *paths, const struct service_machine *machine,
                 struct config *config, char *buffer, struct config_problems *problems);

#endif
