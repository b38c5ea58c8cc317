/*
 * Files that change: a part of platform.h, whose rules hold here too.
 */
#ifndef BATON_PLATFORM_FILE_WATCH_H
#define BATON_PLATFORM_FILE_WATCH_H

#include "core/base/error.h"

#include <stdint.h>

struct platform;
struct platform_file_watch; /* tells when a file changes */

/* Watches the file of that name, and reports PLATFORM_EVENT_CHANGED with `token` once it was
 * written anew, or another has taken its place, and is whole: its writer has closed it. (A link
 * that was made there is reported within about a second.) Not when the file is removed; may be told
 * in vain. Where there is no file, one that comes is awaited; links on the way to it are followed,
 * and watched as well. Allocates; blocks for as long as the system takes to go through `path`,
 * which is copied. BATON_OK; else nothing is watched: BATON_NOT_FOUND (a folder), BATON_DENIED,
 * BATON_UNSUPPORTED, BATON_TOO_LONG, BATON_SHORTAGE (also for a limit of the system's on watches),
 * BATON_NO_MEMORY, BATON_SYSTEM. POSIX: inotify(7); nothing is told of a file system that is
 * mounted over a folder on the way, nor when a folder further above is moved that we may not read.
 * Windows: FindFirstChangeNotificationW, and a thread that compares what it tells of; in 63 folders
 * at most, and of a link or a junction on the way that leads elsewhere from then on, or a folder
 * that was removed, nothing is told. */
int platform_file_watch_open(struct platform *platform, const char *path, uint64_t token,
                             struct platform_file_watch **out, struct baton_cause *cause);
void platform_file_watch_close(struct platform_file_watch **watch);

#endif
