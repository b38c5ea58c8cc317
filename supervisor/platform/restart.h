/*
 * Restart: another program takes the place of this process, and has what it held: a part of
 * platform.h, whose rules hold here too.
 *
 * POSIX: execve(2) in place. The process keeps its number, its children stay its children, and
 * descriptors keep their numbers. Windows: none yet.
 *
 * In the old program: platform_restart_begin(), then each thing is held (held.h), then
 * platform_restart_go(), which comes back only if it has failed; then platform_restart_cancel(),
 * and all is as it was. In the new one: platform_restarted() tells what was left, and each thing is
 * adopted.
 */
#ifndef BATON_PLATFORM_RESTART_H
#define BATON_PLATFORM_RESTART_H

#include "core/base/error.h"
#include "core/base/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;

/* ---- In the old program ---- */

/* Whether a restart can be at all. */
extern const bool platform_restarts;

/* False while something is under way beside the loop that belongs to what would be held: a launch,
 * a read or write in our stead, an end that is told later. It comes to an end by itself, unless a
 * handler makes it wait. */
bool platform_restart_is_quiet(struct platform *platform);

/* Ends what cannot go over, launchers and threads, while it is quiet. From here on nothing is
 * launched, closed, or waited for. BATON_OK; or BATON_SYSTEM: a thread is held by what somebody
 * does with a socket; then to be cancelled. Blocks for as long as that takes, a second at most. */
int platform_restart_begin(struct platform *platform, struct baton_cause *cause);
/* Goes back; launchers are to be set anew. */
void platform_restart_cancel(struct platform *platform);

/* What the next program is, and gets. */
struct platform_successor {
    const char *path;  /* of its file, absolute */
    char *const *argv; /* its own */
    const struct snapshot *snapshot;
    const void *extra; /* extra_bytes, beside that */
    size_t extra_bytes;
};
/* Becomes that program. Comes back only with why not, and everything as before. */
int platform_restart_go(struct platform *platform, const struct platform_successor *successor,
                        struct baton_cause *cause);

/* The file that this process was started from, by the name that it was started by, made absolute
 * when this was called first: at another time there may be another program there. NULL = nobody
 * knows. */
const char *platform_started_file(void);

/* ---- In the new program ---- */

/* What the old one has left. */
struct platform_restarted {
    const char *snapshot; /* snapshot_bytes, aligned to 8 */
    size_t snapshot_bytes;
    const char *extra; /* extra_bytes, aligned to 8 */
    size_t extra_bytes;
    const char *failure; /* this is the old one once more: why the new one has failed; else NULL */
};
/* NULL: this process was started as others are. To be asked before platform_open(). Owned by the
 * platform, until platform_restart_forget(). */
const struct platform_restarted *platform_restarted(void);
void platform_restart_forget(void);

/* The new program cannot go on, and nothing was taken or changed yet: becomes the old one again,
 * which is told `reason`. If that cannot either, it starts anew, as after a crash. Comes back only
 * if not even that can be. */
void platform_restart_fall_back(char *const *argv, const char *reason);

#endif
