/*
 * Restart: another program takes the place of this process, and has what it held: a part of
 * platform.h, whose rules hold here too.
 *
 * POSIX: execve(2) in place. The process keeps its number, its children stay its children, and
 * descriptors keep their numbers. Windows: another process, which the old one gives all that it
 * has, and which is the batond from the moment on when it says so (platform_restart_forget());
 * until then the old one can go on.
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

/* Windows: starts the process that is to take our place, which reads its config and then waits for
 * what is left to it, or for the end of this process. BATON_OK; BATON_INVALID: it has ended
 * instead, with exit code *code; or why it was not started, or has not got so far in time. Blocks
 * until then; for any thread, but beside no other call of this file. POSIX: BATON_UNSUPPORTED. */
int platform_restart_summon(const char *path, char *const *argv, uint32_t patience_ms, int *code,
                            struct baton_cause *cause);

/* Ends what cannot go over, launchers and threads, while it is quiet. From here on nothing is
 * launched, closed, or waited for. BATON_OK; or BATON_SYSTEM: a thread is held by what somebody
 * does with a socket; then to be cancelled. Blocks for as long as that takes, a second at most.
 * Windows: breaks off all that is waited for; the log has to be taken by then. BATON_UNSUPPORTED
 * where nobody was summoned. */
int platform_restart_begin(struct platform *platform, struct baton_cause *cause);
/* Goes back; launchers are to be set anew. Windows: who was summoned is ended. */
void platform_restart_cancel(struct platform *platform);

/* What the next program is, and gets. */
struct platform_successor {
    const char *path;  /* of its file, absolute */
    char *const *argv; /* its own */
    const struct snapshot *snapshot;
    const void *extra; /* extra_bytes, beside that */
    size_t extra_bytes;
    const char
        *failure; /* out, Windows: why it has not taken over (static); NULL = `cause` tells */
};
/* Becomes that program. Comes back only with why not, and everything as before. Windows: ends this
 * process, with exit code 0, when the new one has taken over; blocks until then, 5 s at most. */
int platform_restart_go(struct platform *platform, struct platform_successor *successor,
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
    uint32_t pid;        /* whose it is: POSIX, our own */
    const char *failure; /* this is the old one once more: why the new one has failed; else NULL */
};
/* NULL: this process was started as others are. To be asked before platform_open(). Owned by the
 * platform, until platform_restart_forget(); but `failure` is static. Windows: waits for the old
 * one to leave it. */
const struct platform_restarted *platform_restarted(void);
/* All is adopted. Windows: this process is the batond from here on; it ends here if the old one has
 * decided to go on, whose end it waits for otherwise, for 2 s at most. */
void platform_restart_forget(void);

/* The new program cannot go on, and nothing was taken or changed yet: becomes the old one again,
 * which is told `reason`. If that cannot either, it starts anew, as after a crash. Comes back only
 * if not even that can be; at once, where this process was started as others are. Windows: tells
 * the old one, and ends; may be asked before platform_restarted(). */
void platform_restart_fall_back(char *const *argv, const char *reason);

#endif
