/*
 * The other half of the contract with the operating system: what batond's mains ask of the machine
 * before platform_open(), and of themselves. The rules at the top of platform.h hold here as well.
 */
#ifndef BATON_PLATFORM_MACHINE_H
#define BATON_PLATFORM_MACHINE_H

#include "core/base/error.h"
#include "core/base/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Converts the system's arguments to UTF-8: on POSIX gives back `argv`; on Windows reads the wide
 * command line. Static or never freed. Returns NULL when out of memory. */
char **platform_arguments(int argc, char **argv, int *out_argc);

/* Reads a whole regular file of at most `capacity` bytes. Returns BATON_OK and *length, or
 * BATON_NOT_FOUND, BATON_DENIED, BATON_INVALID (a folder or special file), BATON_TOO_LONG
 * (*length is `capacity`, and that much was read), BATON_SYSTEM. Blocks. */
int platform_file_read(const char *path, void *buffer, size_t capacity, size_t *length,
                       struct baton_cause *cause);

/* The same for standard input, to its end, whatever it is. Not BATON_NOT_FOUND, nor BATON_INVALID;
 * BATON_SYSTEM where there is none. Blocks until whoever writes there ends it. */
int platform_input_read(void *buffer, size_t capacity, size_t *length, struct baton_cause *cause);

/* Calls `visit` with the name of each thing in a folder, in any order, but for `.` and `..`; names
 * that are not UTF-8 may come as they are (POSIX). BATON_OK, BATON_NOT_FOUND, BATON_DENIED,
 * BATON_INVALID (no folder), BATON_SYSTEM. Blocks. */
int platform_directory_list(const char *path, void (*visit)(void *context, const char *name),
                            void *context, struct baton_cause *cause);

/* For `struct service_machine`: BATON_OK, BATON_NOT_FOUND, BATON_NOT_EXECUTABLE, BATON_DENIED,
 * BATON_INVALID (not a file, or not a folder). `context` is ignored. */
int platform_probe_program(void *context, const char *path);
int platform_probe_directory(void *context, const char *path);

/* For `struct service_machine`, too: what the name itself is, without following it if it is a link
 * (lstat(2), readlink(2)). BATON_OK, BATON_NOT_FOUND, BATON_DENIED, BATON_SYSTEM, or
 * BATON_UNSUPPORTED (Windows). `context` is ignored. Blocks on the disk. */
struct path_facts; /* core/base/path_facts.h */
int platform_inspect(void *context, const char *path, struct path_facts *out);

/* True if the process can do what other accounts cannot: root (POSIX). */
bool platform_is_privileged(void);

/* The accounts of the machine, for `struct service_machine`, which says more; on Windows there are
 * none: platform_has_accounts. `context` is ignored. May read files and ask servers. */
extern const bool platform_has_accounts;
int platform_find_user(void *context, const char *name, struct account *out);
int platform_find_group(void *context, const char *name, uint32_t *gid);
/* True if one of its limits is above our own hard one (POSIX), which takes CAP_SYS_RESOURCE. */
bool platform_raises_limits(void *context, const struct identity *identity);

/* How many processors may run us and our children at a time, 1 or more. May read files. */
uint32_t platform_processors_count(void);

/* Our own environment: texts NAME=VALUE and a NULL. Never freed; NULL when out of memory. */
const char *const *platform_environment(void);
extern const char platform_basic_variables[]; /* which of them all programs get: names, one behind
                                                 the other, each with its NUL, and an empty one */

/* For `struct service_machine`: whether a variable NAME=VALUE has the name whose `length` bytes
 * these are. On Windows names have no case (CompareStringOrdinal). */
bool platform_is_variable(const char *variable, const char *name, size_t length);

/* Makes `path` absolute against the working directory, without touching the disk; writes at most
 * `size_bytes` with NUL. BATON_OK or BATON_TOO_LONG. */
int platform_path_absolute(const char *path, char *out, size_t size_bytes);

/* The folder of the running executable, absolute, without a final separator. */
int platform_own_directory(char *out, size_t size_bytes, struct baton_cause *cause);

/* Runs a program of ours (absolute path; `argv` ends with NULL) and reads what it answers
 * (platform_answer()) to the end. It has our standard streams, or (`is_quiet`) the null device as
 * each, no signal blocked or ignored, and no other descriptor. *bytes is memory of malloc(), also
 * without an answer; *code is its exit code, or 128 and the number of the signal; 0 where somebody
 * else has seen its end. One that takes longer than `patience_ms` (0 = there is no bound), or
 * a second more to end (POSIX), is killed, and then left to itself if it takes a second for that.
 * BATON_OK, or why it could not be run; posix_spawn(3). Windows: `is_quiet` alone, it answers by
 * its standard output, and ends with us. Blocks; for any thread. */
int platform_ask_program(const char *path, char *const *argv, bool is_quiet, uint32_t patience_ms,
                         char **bytes, size_t *length, int *code, struct baton_cause *cause);
/* In that program: from now on it ends with the thread that asks. False if nobody does (any more).
 * PR_SET_PDEATHSIG of prctl(2). */
bool platform_answer_begin(void);
/* Writes the answer. False if not all of it could be. Blocks until it is read. */
bool platform_answer(const char *bytes, size_t length);

/* Becomes `program` (a name beside our own file), whose arguments are our own file and `argv`; only
 * where nobody has started us who would hear of us (NOTIFY_SOCKET, BATON_KEEPER). Returns BATON_OK
 * where somebody has, or why it cannot be. Windows: BATON_UNSUPPORTED. */
int platform_run_under(const char *program, char *const *argv, struct baton_cause *cause);

/* What validation has to know of the system (struct service_machine). */
extern const char platform_own_program[];    /* POSIX: the file of the running program; else "" */
extern const char platform_formats_folder[]; /* POSIX: lists further formats that are programs,
                                                 beside `register`, `status`; else "" */
extern const char platform_executable_suffix[];      /* "" or ".exe" */
extern const bool platform_scripts_need_interpreter; /* Windows */
extern const bool platform_backslash_separates;      /* Windows */
extern const bool platform_inherits_listeners;       /* POSIX: a listener is handed over at launch;
                                                        otherwise by an OFFER on a channel */
/* The port of a service name ("rsync") in the system's database (services(5)), for "tcp" or "udp".
 * `context` is ignored. BATON_OK or BATON_NOT_FOUND. May read a file. */
int platform_service_port(void *context, const char *name, bool udp, uint16_t *port);

/* Writes UTF-8 text to standard output (`error` false) or standard error, blocking, for --help,
 * --check and messages before the log is open. False if not all of it was taken: the stream is
 * closed, its disk is full, its reader has gone. */
bool platform_print(bool error, const char *text);

/* Where a config is looked for last: /etc/baton/ports.ini, %ProgramData%\\baton\\ports.ini.
 * BATON_OK, BATON_NOT_FOUND (that variable is not set), BATON_TOO_LONG. */
int platform_system_config(char *out, size_t size_bytes);

/* The folders in which a system has configs, one behind the other, each with its NUL, and an empty
 * one: what a later one has goes before what an earlier one has under the same name. None on
 * Windows.
 */
extern const char platform_config_folders[];

/* Where this process alone has its console and says its faults there, asks for Enter and waits for
 * it, 10 minutes at most, so that they can be read (Windows, a double click); else does nothing. */
void platform_keep_window(void);

#endif
