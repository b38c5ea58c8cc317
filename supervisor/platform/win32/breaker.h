/*
 * Ctrl-Break for programs that have no channel. Such an event goes to a group of processes that
 * share the console of who sends it, and nobody has more than one console: so a process of ours
 * that has none sends it, which is batond itself, run as `batond service break`. It takes the
 * console of one program after the other, whose group is that program's (CREATE_NEW_PROCESS_GROUP).
 *
 * A thread runs it, so that nobody else waits: neither for the launch nor for a console that does
 * not answer. Who cannot be told (it has no console, or another's; the helper fails) is ended at
 * once, as if there were no such thing.
 * https://learn.microsoft.com/windows/console/generateconsolectrlevent
 * https://learn.microsoft.com/windows/console/attachconsole
 */
#ifndef BATON_PLATFORM_WIN32_BREAKER_H
#define BATON_PLATFORM_WIN32_BREAKER_H

#include "internal.h"

#define BREAK_BATCH_COUNT 32

/* What a helper is told, and tells. The handles of the programs' processes, which it inherits, keep
 * their numbers from being given to others. */
struct break_page {
    LONG count;
    DWORD pids[BREAK_BATCH_COUNT];
    volatile LONG results[BREAK_BATCH_COUNT]; /* BREAK_PENDING, 0, or what failed */
};
#define BREAK_PENDING (-1)

/* Bits of a result, above the system's number: which call that was. */
#define BREAK_IN_ATTACH 0x10000
#define BREAK_IN_GENERATE 0x20000

/* One program that is to be told. Owner: the process's entry and the breaker, whoever is later. */
struct break_request {
    struct break_request *next;
    volatile LONG owners_count;
    volatile LONG result; /* as in a page; BREAK_NO_HELPER and the system's number */
    DWORD pid;
    HANDLE process, job; /* copies of ours; the first one is inheritable */
};
#define BREAK_NO_HELPER 0x40000

struct breaker;

/* Has the program told. False if that cannot be tried: then it is not told. */
bool win32_break_ask(struct platform_process *process);
/* Its entry is used by another from now on. Accepts none. */
void win32_break_forget(struct platform_process *process);

/* Lets the thread finish what it is at, for two seconds at most. Accepts none. */
void win32_breaker_close(struct platform *platform);

/* For how long a helper may get on with nobody: then it is ended, the program at hand is given up,
 * and the others get another helper. */
extern DWORD win32_break_bound_ms;

/* The file of the helper; NULL = that of this program. For tests, whose programs are none. */
extern const wchar_t *win32_breaker_program;

#endif
