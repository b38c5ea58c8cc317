/*
 * Windows' service manager (the SCM), by which batond is a service of the system: its words here
 * are Windows', where a service is a program. Only the body for Windows has these calls, and only
 * batond's main uses them. What batond tells the SCM while it runs goes by manager.h.
 * https://learn.microsoft.com/windows/win32/services/about-services
 *
 * All block: on the SCM, and those that say so until the service is where it is to be. Those that
 * fail fill `cause` with the call and its number. BATON_DENIED mostly means that an administrator
 * has to do it.
 */
#ifndef BATON_PLATFORM_WINDOWS_SERVICE_H
#define BATON_PLATFORM_WINDOWS_SERVICE_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts are the caller's. Paths are absolute. */
struct windows_service {
    const char *name;     /* by which the SCM knows it: 1..64 of letters, digits, and `-_.` */
    const char *config;   /* of `batond -c` */
    const char *handlers; /* of --handlers; NULL = not given */
    const char *log;      /* what platform_windows_service_log() says to who installs it */
};

/* The longest account is that of the longest name. */
#define WINDOWS_SERVICE_NAME_MAX_BYTES 64u
bool platform_windows_service_name_is_valid(const char *name);

/* What the file is called that has what batond says before its log is open, and its log where the
 * config names no other: %ProgramData%\baton\NAME.log. BATON_OK, BATON_NOT_FOUND (there is no such
 * variable), BATON_TOO_LONG. */
int platform_windows_service_log(const char *name, char *out, size_t size_bytes);

/* Makes a service of this program's file, that starts with the system, a while after others
 * (delayed), as the account NT SERVICE\NAME, which exists as long as the service does, with the
 * privileges that handlers' launches take; started again by the SCM 1, 10 and 60 s after a failure.
 * Its log file is made, for that account and administrators. Its name is
 * registered as a source of the Event Log: BATON_IN_USE, without a call in `cause`, if it is that
 * of another program. If something fails, nothing is left of it but the file. What this system does
 * not have (Wine) is told to `skipped`, by the name of the setting. */
int platform_windows_service_install(const struct windows_service *service,
                                     void (*skipped)(void *context, const char *setting),
                                     void *context, struct baton_cause *cause);

enum windows_service_state {
    WINDOWS_SERVICE_STOPPED,
    WINDOWS_SERVICE_STARTING,
    WINDOWS_SERVICE_RUNNING,
    WINDOWS_SERVICE_STOPPING,
    WINDOWS_SERVICE_OTHER /* paused, which ours never is */
};

struct windows_service_status {
    enum windows_service_state state;
    uint32_t host_pid;    /* of what the SCM has started; 0 = it does not run */
    uint32_t system_code; /* stopped: the system's number of what went wrong, 0 = nothing */
    uint32_t exit_code;   /* stopped: batond's own, 0 = it ended well or not by itself */
    char account[512];    /* "NT SERVICE\batond" */
    char command_line[8192];
};

int platform_windows_service_look(const char *name, struct windows_service_status *out,
                                  struct baton_cause *cause);

/* Starts it, and waits until it serves, has ended, or stands still. BATON_OK with what came of that
 * in `out`. */
int platform_windows_service_start(const char *name, struct windows_service_status *out,
                                   struct baton_cause *cause);

/* Has it stop, and waits until it has, or stands still; BATON_OK also if it does not run. */
int platform_windows_service_stop(const char *name, struct windows_service_status *out,
                                  struct baton_cause *cause);

/* Has one that runs read its config anew (PARAMCHANGE); what comes of that is in its log. */
int platform_windows_service_reload(const char *name, struct baton_cause *cause);

/* Removes a service that does not run, and its source of the Event Log. Its log file stays. */
int platform_windows_service_remove(const char *name, struct baton_cause *cause);

/* What batond runs itself as (breaker.h): sends Ctrl-Break to the consoles of the programs that the
 * page names whose section has the handle `section`, decimal. Ends this process. */
_Noreturn void platform_windows_service_break(const char *section);

/* What the SCM starts: the host. Speaks to the SCM for the supervisor, a batond that it starts as
 * its child, whose standard error is the log file. Returns when the service has stopped, BATON_OK
 * even if it failed: the SCM was told. BATON_SYSTEM at once, with error 1063
 * (ERROR_FAILED_SERVICE_CONTROLLER_CONNECT), if it was not the SCM that started this process. */
int platform_windows_service_host(const struct windows_service *service, struct baton_cause *cause);

#endif
