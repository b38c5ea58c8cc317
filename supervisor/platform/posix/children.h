/*
 * Processes that we have launched: the table of them, and how they are reaped (children.c).
 */
#ifndef BATON_PLATFORM_POSIX_CHILDREN_H
#define BATON_PLATFORM_POSIX_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>

struct baton_cause;
struct platform;
struct platform_exit;
struct platform_process;
struct posix_watch;
struct told;

int posix_processes_open(struct platform *platform, size_t process_count);
void posix_processes_close(struct platform *platform);
/* A free slot, empty; NULL when there is none. And back to the free ones. */
struct platform_process *posix_process_take(struct platform *platform);
void posix_process_give(struct platform_process *process);
struct platform_process *posix_process_find(struct platform *platform, pid_t pid);
void posix_process_add(struct platform *platform, struct platform_process *process);
void posix_process_remove(struct platform *platform, struct platform_process *process);
/* It was reaped, before it had a place in the table of living ones. And its end is told soon. */
void posix_process_note_end(struct platform_process *process);
void posix_process_tell_end(struct platform_process *process);
/* True if one without a place in that table has ended: it is reaped, and that is told soon. */
bool posix_process_ends_early(struct platform_process *process);
int posix_children_open(struct platform *platform, struct baton_cause *cause);
/* Takes the signal, so that who ends from now on is told of again. */
void posix_children_take_signal(struct platform *platform);
/* SIGCHLD has come: children_due_us says when posix_processes_reap() will look. */
void posix_children_on_signal(struct platform *platform);
/* A process's descriptor says that it is dead: reaps it, and writes EXIT if that need not wait. */
void posix_process_take_end(struct posix_watch *end, struct told *told);
/* If it is time to, goes through all children, reaps those that have ended and writes EXIT events,
 * as many as there is room for. Does not block, nor go on for long: `children_due_us` is 0 if there
 * may be more. */
void posix_processes_reap(struct platform *platform, struct told *told);
/* The ends that waited for what their processes have written, as far as they need not wait any
 * more. The time is when to ask again at the latest. */
void posix_processes_tell_late(struct platform *platform, struct told *told);
uint64_t posix_processes_late_us(const struct platform *platform);
void posix_process_forget_late(struct platform_process *process);
/* Waits for the child's end and reaps it. */
void posix_child_await(pid_t pid);
/* Whether a child is as waitid(2) has it: WEXITED, WSTOPPED. Its pid, or 0; nothing is reaped. */
pid_t posix_child_look(idtype_t type, pid_t pid, int state);
/* Reaps the child `pid` if it is dead; false if it lives or is no child of ours. Does not block.
 * The peak of its memory is the kernel's, which may be that of who has launched it. */
bool posix_child_reap(struct platform *platform, pid_t pid, struct platform_exit *how);
/* The most memory that the caller had; UINT32_MAX if nobody knows. */
uint32_t posix_peak_kib(void);

#endif
