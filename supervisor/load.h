/*
 * Loading: the name of a config file in, the validated table of services or the faults of the file
 * out, as data. Prints nothing and ends nothing, so that a start, --check, a reload and a control
 * client can all call it and say what comes of it in their own way.
 */
#ifndef BATON_LOAD_H
#define BATON_LOAD_H

#include "core/config/problems.h"
#include "core/service/service.h"

#define PATH_BYTES 4096
/* In folders, for what was meant: by a load, and once more by the start. */
#define LOOKS_MAX_COUNT 10u

/* The folders that relative names start from; absolute, fixed at start. */
struct load_paths {
    char shown_name[PATH_BYTES];     /* the config file as the user called it, for messages */
    char config_file[PATH_BYTES];    /* "" = standard input, which cannot be read a second time */
    enum config_format input_format; /* of that */
    char shown_folder[PATH_BYTES];  /* of shown_name, with its last separator; "" = it names none */
    char config_folder[PATH_BYTES]; /* relative paths in the config start here */
    /* Where relative patterns of `include` start as well, the last going before; NULL = not there,
     * since the config is in no folder of the system's (platform_config_folders). */
    const char *piece_folders;
    char handlers[PATH_BYTES];          /* the handlers folder of the installation */
    char handlers_override[PATH_BYTES]; /* of the command line; empty = not given */
};

/* Finds the config file where none is named, and writes its name: the first that is there of
 * conf/ports.ini and ports.ini in the working directory, ../conf/ports.ini as seen from batond's
 * own folder, and the system's (platform_system_config()). BATON_NOT_FOUND: none is, and `out`, of
 * `size_bytes`, has those names in their order, separated by commas. Blocks on the disk. */
int load_find_config(char *out, size_t size_bytes);

/* batond is not this program, but in another folder; before the calls below and above. BATON_OK or
 * BATON_TOO_LONG. */
int load_for_batond_in(const char *folder);

/* The name that stands for standard input. */
#define LOAD_STANDARD_INPUT "-"

/* Makes the places from the command line: `handlers` NULL = not given. BATON_OK; or BATON_TOO_LONG,
 * BATON_SYSTEM, with what was looked for in *what (static). */
int load_find_paths(const char *config, const char *handlers, struct load_paths *out,
                    const char **what);

/* What validation asks of this machine, for these folders, which must outlive *out. Blocks on the
 * disk. */
void load_describe_machine(const struct load_paths *paths, struct service_machine *out);

/* Reads the file, and those that it includes, and validates it, every fault of them into `problems`
 * (zeroed; the caller clears them). Blocks on the disk, or until standard input ends. By one thread
 * at a time: it has one buffer, and the system's accounts and names of services, for which it asks,
 * have one answer. BATON_OK and the table, which the caller clears (there may be problems all the
 * same: service_table_build()); BATON_INVALID when there are faults, or BATON_NO_MEMORY: then the
 * table is empty. */
int load_table(const struct load_paths *paths, const struct service_machine *machine,
               struct service_table *table, struct config_problems *problems);

/* Where the config does not say where control clients come: that of the system, whose folder is
 * made. `is_privileged`: batond was started by root. Blocks on the disk. */
void load_place_control(bool is_privileged, struct supervisor_options *options);

#endif
