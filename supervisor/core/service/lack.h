/*
 * What a service needs of the machine and does not find there: its program, who runs that, its
 * folders. Not a fault of the config alone: it may come yet, so a start goes on with the other
 * services and looks again.
 */
#ifndef BATON_SERVICE_LACK_H
#define BATON_SERVICE_LACK_H

#include "core/service/program_head.h"
#include "core/service/service.h"

enum lack_kind {                   /* in the order of the texts: words_of() */
                 LACK_PROGRAM,     /* `path` is not there, or may not be executed */
                 LACK_FOLDER,      /* `path` is not there, no folder, or may not be entered */
                 LACK_INTERPRETER, /* the script `path` names one after `#!` that is not there */
                 LACK_RETURN,      /* that line of the script `path` ends with a carriage return */
                 LACK_LOADER,      /* the ELF file `path` asks for one that is not there */
                 LACK_FORMAT, /* `path` is neither a script with `#!` nor a program for this system
                               */
                 LACK_PROCESSOR, /* `path` is for another processor */
                 LACK_COMMAND,   /* the script `path` has env(1) run what is not there */
                 LACK_RIGHT,     /* `path` keeps out the account that is to run it, `interpreter` */
                 LACK_OWNER,   /* what runs is to be nobody's to change, but `path` is another's */
                 LACK_WRITABLE /* or its mode lets others write to it */
};

#define LACK_PATH_MAX_BYTES 4096u

struct service_lack {
    enum lack_kind kind;
    int result;  /* of the probe */
    size_t line; /* of the config, of the key that asks for it; by service_find_lack() alone */
    uint32_t mode, user; /* of `path`: OWNER, WRITABLE */
    char path[LACK_PATH_MAX_BYTES];
    char interpreter[PROGRAM_INTERPRETER_MAX_BYTES + 1]; /* INTERPRETER, LOADER, COMMAND, RIGHT */
};

#define LACK_TEXT_MAX_BYTES (LACK_PATH_MAX_BYTES + 512u)

/* Looks at the disk, through `machine`, for what the service needs. True, and the first that it
 * lacks; false when nothing is missing, as far as can be told. */
bool service_find_lack(const struct service *service, const struct service_machine *machine,
                       struct service_lack *out);

/* The same for one program and who runs it, and for one folder. `service`: whose program it is,
 * whose directory, identity and environment are set; NULL = it is run here, with an environment
 * that is not known. `is_script`: it is read by an interpreter, so it need not be executable. */
bool service_lacks_program(const struct service_machine *machine, const char *path, bool is_script,
                           const struct service *service, struct service_lack *out);
bool service_lacks_folder(const struct service_machine *machine, const char *path,
                          const struct service *service, struct service_lack *out);
/* The same for who else may change what is at `path`: strict_find_writer() has the rules. */
bool service_lacks_strictness(const struct service_machine *machine, const char *root,
                              const char *path, uint32_t user, struct service_lack *out);
/* The same for one of those who run the service's handler; false where that is not asked. */
bool service_may_be_changed(const struct service_machine *machine, const struct service *service,
                            const char *path, struct service_lack *out);
/* True if `path`, which is to be a file's, is a folder's. */
bool service_is_folder(const struct service_machine *machine, const char *path);

/* Looks for a file whose name is nearly that of `path`, in the same folder. False if there is none
 * (near.c). */
#define SERVICE_NEAREST_BYTES 64u
bool service_find_nearest(const struct service_machine *machine, const char *path,
                          char out[SERVICE_NEAREST_BYTES]);

/* Writes what is wrong. Returns what would be right (static). */
const char *service_lack_text(const struct service_lack *lack,
                              const struct service_machine *machine, char out[LACK_TEXT_MAX_BYTES]);

#endif
