/*
 * The config of another super-server as one of ours: an inetd.conf(5) or xinetd.conf(5) in, the
 * equivalent INI out. What it says and Baton has no key for becomes a comment with the reason and
 * the cure; nothing is left out or guessed without one.
 *
 * Pure: files, folders and names of services are asked for through `struct import_machine`.
 */
#ifndef BATON_IMPORT_IMPORT_H
#define BATON_IMPORT_IMPORT_H

#include "core/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service_machine;

/* Limits over a file and all that it includes; a further one on each file is that of a config. */
#define IMPORT_FILES_MAX_COUNT 1024
#define IMPORT_BYTES_MAX_COUNT (4u * 1024u * 1024u)
#define IMPORT_DEPTH_MAX_COUNT 8     /* files that include one another */
#define IMPORT_NOTES_MAX_COUNT 16384 /* comments in the output */
#define IMPORT_FAULTS_MAX_COUNT 100  /* messages; the others are counted */

/* Takes the name of a file in a folder, without the folder. */
typedef void import_visit(void *visitor, const char *name);

/* Where the `defaults` of a file of xinetd.d come from that has none itself. With neither, the
 * xinetd.conf beside the file or above its folder is looked for. */
struct import_options {
    const char *defaults; /* the xinetd.conf; NULL = not named */
    bool no_defaults;     /* there is none */
};

/* What the import has to ask of the machine. Paths are as the user or the file gave them, so they
 * may be relative to the working directory. */
struct import_machine {
    /* Reads a whole file of at most CONFIG_FILE_MAX_BYTES; `*bytes` is valid until the next call.
     * BATON_OK, BATON_NOT_FOUND, BATON_DENIED, BATON_INVALID (a folder or special file),
     * BATON_TOO_LONG, or another code. */
    int (*read_file)(void *context, const char *path, const char **bytes, size_t *length);
    /* Calls `visit` for each name in a folder, in any order. BATON_OK, BATON_NOT_FOUND,
     * BATON_DENIED, BATON_INVALID (no folder), or another code. */
    int (*list_folder)(void *context, const char *path, import_visit *visit, void *visitor);
    /* As in struct service_machine. */
    int (*find_port)(void *context, const char *name, bool udp, uint16_t *port);
    /* Asked for programs and who runs them, as a check of the config does; NULL if they are not to
     * be looked for. */
    const struct service_machine *programs;
    /* The files of hosts_access(5), if the old server may have asked them; NULL ends them, or
     * stands for none. */
    const char *const *wrapper_files;
    const char *users_file;               /* passwd(5); NULL = every user is there */
    const char *groups_file;              /* group(5); NULL = every group is there */
    const struct import_options *options; /* NULL = none is given */
    bool backslash_separates;             /* in paths: true on Windows */
    void *context;
};

/* The path that stands for standard input; read_file gets it as it is. */
#define IMPORT_STANDARD_INPUT "-"

/* Reads the file at `path`, or the folder, as xinetd reads an includedir; tells by the content what
 * it is, and writes the config to `out` as a whole; or writes nothing there, and each fault to
 * `complain` as "FILE:LINE: what is wrong and what would be right", one a line. Returns BATON_OK,
 * BATON_INVALID when there were faults, or BATON_NO_MEMORY (then neither has been called).
 * `context` is handed to both. */
int import_config(const char *path, const struct import_machine *machine, text_emit *out,
                  text_emit *complain, void *context);

/* Takes a key of a service and its value, as a config has them. */
typedef void import_give(void *context, const char *key, const char *value);

/* What an inetd.conf has, for who serves it as it is. Texts are valid during the call. */
struct import_taker {
    /* A service: its name, of which there is one, and where it stands; its keys go to `setting`
     * next. */
    void (*section)(void *context, const char *name, size_t line);
    import_give *setting;
    /* What is closed, is no service, or was not carried over in some part; `line` 0: the file as a
     * whole. */
    void (*problem)(void *context, size_t line, const char *text);
    void *context;
};

/* Reads the inetd.conf at `path`, as import_config() does, and gives the services that this would
 * have on. A line that cannot be read is a problem, and closes the line above, which it may have
 * gone on with, but no other. BATON_OK; BATON_INVALID: it cannot be read, or is an xinetd.conf,
 * and nothing was told; or BATON_NO_MEMORY, and what was told is of no use. */
int import_inetd(const char *path, const struct import_machine *machine,
                 const struct import_taker *taker);

#endif
