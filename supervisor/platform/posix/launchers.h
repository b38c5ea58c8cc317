/*
 * Launchers: processes of ours that launch in the loop's stead (vfork(2) stops whoever calls it
 * until the new program is there; and its file may be one that a hung server has).
 *
 * A launcher is forked from us when programs have been prepared, so it has their plans in its
 * memory, at the same addresses. What differs from launch to launch is written into a page that
 * both have; the descriptors wait in a hand-over socket of its own (handover.c), from which the
 * child takes them, so that a launcher never has a connection. The child is made by
 * clone(CLONE_PARENT): it is ours, we reap it, and nobody else can have its number until we do. The
 * kernel writes that number into the page before the child runs (CLONE_PARENT_SETTID), and that it
 * has executed its program (CLONE_CHILD_CLEARTID), and the child what it has taken and where it has
 * failed: so all of that is known when a launcher is killed in the midst of a launch, or kept by
 * somebody else from telling how it went. A packet that nobody has taken comes back to us, and its
 * client is launched for once more; one that was taken has a child, which runs or ends.
 *
 * A launcher has two requests at most: one at work, and one that it goes on with. The numbers in
 * the page say how far it is, and neither side calls the system to say so to one that is awake:
 * who is about to sleep says that first, and looks once more (futex(2), and an eventfd(2) for the
 * loop). A request that was not begun can be revoked, and is, before it waits long behind another:
 * whoever claims it first has it. Behind a launch that was not clean a launcher stops until the
 * loop has taken out what is left of it, for packets are taken in their order.
 *
 * A launcher keeps nothing, decides nothing and closes nothing of others. It has a table of its own
 * with the null device, a socket and the loop's eventfd, and ends when we do. No program has more
 * than all launchers but one, so that the others' are launched whatever its file waits for. One
 * that is held for HELD_US is replaced, to a bound, and ends when it comes back; when half of these
 * are, each program has one, so that several of them cannot have all. One that does not know a
 * program, since that was made later, is replaced as well.
 */
#ifndef BATON_PLATFORM_POSIX_LAUNCHERS_H
#define BATON_PLATFORM_POSIX_LAUNCHERS_H

#include "platform/platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct launch;
struct launcher;
struct launchers_face;
struct posix_watch;
struct told;

struct posix_launchers {
    struct launcher *first;      /* owned */
    struct launchers_face *face; /* of the loop, which all of them see; owned; made once */
    uint32_t wanted_count;
    bool is_awaited;         /* a launch waits for a free one */
    uint64_t last_number;    /* of programs */
    size_t room_bytes;       /* that one launch may need */
    bool is_asked;           /* a launch would have one, since the last try failed */
    uint64_t short_us;       /* how long there is no other try behind one that fails, */
    uint64_t short_since_us; /* as the last one did then */
    uint64_t short_until_us; /* no new one is tried before; 0 = the last try was good */
};

void posix_launchers_note_program(struct platform *platform, struct platform_program *program);
/* Its output is about to be closed. */
void posix_launchers_forget_output(struct platform *platform, const struct platform_output *output);
/* A launcher has ended. */
void posix_launchers_on_end(struct platform *platform, struct posix_watch *watch);
/* What they have done since. */
void posix_launchers_tell(struct platform *platform, struct told *told);
/* The loop is about to wait, and is to be woken by what they do; false: they have done something.
 * And it waits no more. */
bool posix_launchers_may_wait(struct platform *platform);
void posix_launchers_awake(struct platform *platform);
/* Whose launch under way has made that child; NULL: none. */
struct launch *posix_launchers_find(struct platform *platform, pid_t pid);
/* The system has no process for one, or for what one launches. */
void posix_launchers_note_short(struct platform *platform);
/* Once a round: starts and replaces. Returns when to call it at the latest. */
uint64_t posix_launchers_feed(struct platform *platform, uint64_t now_us);
/* None has anything to do. */
bool posix_launchers_are_idle(const struct platform *platform);
void posix_launchers_close(struct platform *platform);
/* launch_end.c: one that nobody waits for any more is over. */
void posix_launch_abandon(struct platform *platform, struct launch *launch);
/* While its launch is under way: a signal; and it is closed. */
void posix_launch_signal(struct platform_process *process, enum platform_signal how);
void posix_launch_leave(struct platform_process *process);
/* A child that has ended before its launch was told is reaped. */
void posix_launch_take_end(struct platform *platform, struct launch *launch);

#endif
