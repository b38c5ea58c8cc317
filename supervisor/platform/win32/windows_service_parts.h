/* What the files of the Windows service share. */
#ifndef BATON_PLATFORM_WIN32_WINDOWS_SERVICE_PARTS_H
#define BATON_PLATFORM_WIN32_WINDOWS_SERVICE_PARTS_H

#include "platform/windows_service.h"
#include "program.h"

#define SERVICE_PATH_BYTES 4096u

/* The file of the running executable, to `out`. BATON_OK, BATON_TOO_LONG, BATON_SYSTEM. */
int win32_service_own_path(char out[SERVICE_PATH_BYTES], struct baton_cause *cause);

/* What the SCM starts: `program service run ...`. As win32_command_line_write(). */
int win32_service_command_line(const struct windows_service *service, const char *program,
                               struct command_line *line);

/* The security identifier of the account NT SERVICE\NAME, as text. `name` is valid. BATON_OK or
 * BATON_SYSTEM. */
#define SERVICE_SID_BYTES 80u
int win32_service_account(const char *name, char out[SERVICE_SID_BYTES], struct baton_cause *cause);

/* Makes the log's file, and its folder where there is none, for the system, administrators and the
 * service's account, and lets nobody else read it. A file that is there already is taken if it is
 * theirs or ours, and has no other name (a hard link): anybody can make one where a folder is
 * everybody's, as %ProgramData% is. BATON_OK, BATON_DENIED, or what the system says. */
int win32_service_make_log(const char *path, const char *name, struct baton_cause *cause);

/* Registers `name` as a source of the Event Log, whose messages are in the file `program`; and
 * removes it, if it is there. BATON_OK, BATON_IN_USE (the source of another program, which the
 * second leaves alone without a word), or what the system says. */
int win32_event_source_add(const char *name, const char *program, struct baton_cause *cause);
int win32_event_source_remove(const char *name, const char *program, struct baton_cause *cause);

#endif
