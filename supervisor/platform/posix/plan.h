/*
 * What a new process does between vfork(2) and execve(2): a list of steps. posix_plan_make() writes
 * it once for each program, and the child of every launch walks it.
 *
 * The child runs in the supervisor's memory while the supervisor stands still, whatever that had
 * been about to do. Therefore a step
 * - calls nothing but what signal-safety(7) lists, and what is a system call and no more on Linux
 *   (prlimit(2), chroot(2)). It does not allocate, format, look anything up, or wait. What libc
 * does in all threads at once (setuid(2), setgroups(2) and their like: nptl(7)) is more than that;
 * a step makes the system call itself. A check of the sources (test/lint) has the list.
 * - works on what was prepared: the constants of its program, which are in its `struct step`, and
 *   what differs from launch to launch, which is in `struct spawn`. Names of users are numbers by
 *   then, texts have their final form.
 * - does not touch a descriptor before it has a table of its own.
 * - writes to its own stack, to errno, and to what each launch fills anew (`passed`, `handover`,
 *   `listen_pid`).
 * - returns at least 0, or -1 and the errno that the launch fails with.
 */
#ifndef BATON_PLATFORM_POSIX_PLAN_H
#define BATON_PLATFORM_POSIX_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct baton_cause;
struct platform;
struct platform_program;

/* In the order of the walk; posix_plan_make() tells why it is this one (order.c). Each with the
 * system call that it fails at, as `struct baton_cause` has it. */
#define STEP_TABLE(X)                                                                              \
    X(OWN_TABLE, "close_range") /* of descriptors, where it has shared the supervisor's */         \
    X(TAKE, "recvmsg")          /* what was handed over to it */                                   \
    X(GROUP, "setpgid")         /* a process group of its own */                                   \
    X(TERMINAL, "ioctl")        /* no controlling terminal */                                      \
    X(STREAMS, "dup2")          /* descriptors 0, 1 and 2 */                                       \
    X(MAKE_WAY, "fcntl")        /* what is passed leaves the numbers that it does not end at */    \
    X(PASS, "dup2")             /* descriptors 3, 4, ...: listeners, and then the channel */       \
    X(LISTEN_PID, "getpid")     /* the digits of LISTEN_PID, which nobody knows but the child */   \
    X(OOM, "oom_score_adj")                                                                        \
    X(LIMIT_MEMORY, "setrlimit RLIMIT_AS")                                                         \
    X(LIMIT_CORE, "setrlimit RLIMIT_CORE")                                                         \
    X(LIMIT_CPU, "setrlimit RLIMIT_CPU")                                                           \
    X(LIMIT_FILES, "setrlimit RLIMIT_NOFILE") /* always: as before the supervisor raised it */     \
    X(LIMIT_PROCESSES, "setrlimit RLIMIT_NPROC")                                                   \
    X(NICE, "setpriority") /* how it ranks for a processor */                                      \
    X(GROUPS, "setgroups") /* supplementary ones */                                                \
    X(CHROOT, "chroot")    /* the root of its file system */                                       \
    X(DIRECTORY, "chdir")                                                                          \
    X(UMASK, "umask")                                                                              \
    X(GID, "setresgid")                                                                            \
    X(UID, "setresuid")                                                                            \
    X(CAPABILITIES, "capset")                                                                      \
    X(NO_NEW_PRIVILEGES, "prctl PR_SET_NO_NEW_PRIVS")                                              \
    X(DEATH_SIGNAL, "prctl")     /* SIGTERM when the supervisor's thread has ended */              \
    X(DISPOSITIONS, "sigaction") /* signals that the supervisor ignores */                         \
    X(MASK, "sigprocmask")       /* signals that the supervisor blocks */                          \
    X(EXECUTE, "execve")         /* does not come back unless it fails */

#define STEP_KIND(name, call) STEP_##name,
enum step_kind { STEP_TABLE(STEP_KIND) STEP_KIND_COUNT };
#undef STEP_KIND

/* "-1000", a line feed and NUL. */
#define OOM_TEXT_BYTES 8

/* What is passed, at the numbers from FIRST_PASSED_DESCRIPTOR on. */
struct step_pass {
    int count;
    int listeners_end; /* the number after those of the listeners */
};

struct step {
    enum step_kind kind;
    union {
        struct step_pass pass; /* STEP_MAKE_WAY, STEP_PASS */
        char *listen_pid;
        struct {
            int resource;
            struct rlimit values;
        } limit; /* STEP_LIMIT_... */
        struct {
            char text[OOM_TEXT_BYTES]; /* what is to be written */
            char own[OOM_TEXT_BYTES];  /* the supervisor's */
            bool may_trace; /* nobody without privileges can trace us even while we are traceable */
        } oom;
        int nice_count; /* as setpriority(2) takes it */
        struct {
            const uint32_t *ids;
            size_t count;
        } groups;
        const char *chroot, *directory;
        mode_t umask_bits;
        struct {
            uint32_t id;
            bool keeps_capabilities; /* STEP_UID: until STEP_CAPABILITIES */
        } id;                        /* STEP_GID, STEP_UID */
        struct {
            uint64_t kept;
            bool is_root; /* who gets by execve(2) whatever is not forbidden for ever */
            bool is_own;  /* the supervisor's: nothing is passed on by execve(2) */
        } capabilities;
        pid_t supervisor; /* STEP_DEATH_SIGNAL */
        struct {
            const int *numbers;
            size_t count;
        } signals; /* STEP_DISPOSITIONS */
        struct {
            const char *path;
            char *const *environment;
        } execute;
    };
};

/* Texts and numbers that it points to are the program's and the platform's. A kind that does not
 * apply to the program is not in the list, and none is there twice. */
struct plan {
    struct step steps[STEP_KIND_COUNT];
    size_t count;
    bool is_limited; /* what it is short of may be short for it alone */
    bool gives_back; /* its child can send a descriptor as we can, whichever step has failed */
};

/* More than three streams and a channel are listeners. */
#define HANDOVER_MAX_COUNT 64

/* What a child finds in its end of a socket (handover.c). It writes what it has made of that. */
struct handover {
    int socket;
    uint32_t number;               /* of the packet */
    int given[HANDOVER_MAX_COUNT]; /* the parent's numbers, which may be nobody's by then */
    size_t count;
    bool returns_first; /* if a step fails: nobody else has it */
    int taken[HANDOVER_MAX_COUNT];
    size_t taken_count;
    volatile bool was_taken;
    volatile int return_code; /* errno of a child that could not give it back */
};

/* What differs from launch to launch. All descriptors are above 2, and the parent's numbers; those
 * that are not handed over stay the parent's. */
struct spawn {
    char *const *argv;
    int table_end; /* its own table has what is below this number; 0: it has a whole copy already */
    bool copies_by_clone; /* and has that by clone(2); else by vfork(2) */
    int streams[3];       /* become 0, 1 and 2 */
    int *passed;          /* passed_count of them become 3, 4, ...; the child writes to it */
    uint32_t passed_count;
    struct handover *handover; /* NULL = nothing is handed over */
};

/* Written by the child in the parent's memory. */
struct plan_failure {
    const struct step *volatile step; /* NULL: none has failed */
    volatile int code;                /* its errno */
};

/* `program` is complete but for its plan. */
void posix_plan_make(struct plan *plan, struct platform *platform,
                     const struct platform_program *program);

/* For the child alone. Returns only when a step has failed: the process must end then, without
 * returning from the function that has called vfork(2). */
void posix_plan_walk(const struct plan *plan, const struct spawn *spawn,
                     struct plan_failure *failure);

/* A packet with that number and all of these. 0, or -1 and errno. */
int posix_handover_send(int socket, uint32_t number, const int *descriptors, size_t count);
/* What came in the next packet; and its number. Returns as the next. */
int posix_handover_receive_next(int socket, uint32_t *number, int *descriptors);
/* What came in the packet of that number; what is left of others is closed. Returns how many that
 * are, HANDOVER_MAX_COUNT at most; -1 and errno for no packet. */
int posix_handover_receive(int socket, uint32_t wanted, int *descriptors);
/* In the child: takes what it finds there; what has become of one of the parent's
 * numbers; and gives back, when a step has failed, what would be lost. */
int posix_handover_take(const struct spawn *spawn);
int posix_handover_find(const struct handover *handover, int descriptor);
void posix_handover_return(struct handover *handover);

/* For a child and for the supervisor: the file of STEP_OOM, to be written; or -1 and errno. */
int posix_plan_open_oom(const struct step *step);

/* What a step is called in `struct baton_cause`: the system call that it fails at. Static. */
const char *posix_plan_step_name(const struct step *step);

/* spawn.c: a new process walks the plan. Blocks until it has executed the program or has failed; in
 * the latter case nothing of it is left. `*pidfd`: its descriptor, -1 where the system has none. */
int posix_spawn_process(const struct plan *plan, const struct spawn *spawn, pid_t *pid, int *pidfd,
                        struct baton_cause *cause);

/* The same for a launcher, whose child is its parent's: `*pid` is written before that runs, 0 to
 * `*is_walking` when it has executed its program or has ended, and `*code` is the errno of
 * clone(2). Blocks in the same way, whoever stops the child. */
void posix_spawn_for_parent(const struct plan *plan, const struct spawn *spawn,
                            struct plan_failure *failure, volatile pid_t *pid,
                            _Atomic uint32_t *is_walking, volatile int *code);
/* What a launch that has failed in the child returns, and its cause. */
int posix_not_executed(const struct plan *plan, const struct plan_failure *failure,
                       struct baton_cause *cause);

/* handover.c: one launch's, at a time. */
int posix_handover_open(struct platform *platform, struct baton_cause *cause);
void posix_handover_close(struct platform *platform);
/* Adds it, unless it is -1, the null device, or there already. */
void posix_handover_add(const struct platform *platform, struct handover *handover, int descriptor);
/* Puts copies of all where the child finds them; `sockets`: as platform->handover. 0, or -1. */
int posix_handover_put(struct platform *platform, const int sockets[2], struct handover *handover);
/* After a launch that has failed, or whose child has taken nothing: lets go of what lies there, but
 * for the first if that is to come back: `*first`, else -1. How many there were; -1: no packet. */
int posix_handover_take_back(const int sockets[2], const struct handover *handover, int *first);
/* The same, of the loop's own. 0, unless the first one was to come back: then that is open at its
 * number again, or is lost, for this errno. */
int posix_handover_undo(const struct platform *platform, struct handover *handover);

#endif
