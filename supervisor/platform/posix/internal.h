/*
 * What the files of the POSIX body share. Linux only: epoll(7), signalfd(2), PR_SET_CHILD_SUBREAPER
 * and SO_PASSCRED have no equal elsewhere.
 *
 * Ownership: `struct platform` owns the loop's descriptors and the process table; each listener,
 * output and program is owned by the caller who opened it; a process lives in the table's slot.
 * Every descriptor is close-on-exec from its creation and is never closed by number in a loop.
 */
#ifndef BATON_PLATFORM_POSIX_INTERNAL_H
#define BATON_PLATFORM_POSIX_INTERNAL_H

#include "core/base/identity.h"
#include "core/base/slots.h"
#include "platform/platform.h"
#include "platform/posix/carriers.h"
#include "platform/posix/children.h"
#include "platform/posix/closer.h"
#include "platform/posix/launchers.h"
#include "platform/posix/manager.h"
#include "platform/posix/plan.h"
#include "platform/posix/reserve.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

/* close_range(2), which older headers do not have: linux/close_range.h. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u /* Linux 5.9 */
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u /* Linux 5.11 */
#endif

enum posix_watch_kind {
    POSIX_WATCH_SIGNAL = 1,
    POSIX_WATCH_CHILDREN, /* SIGCHLD */
    POSIX_WATCH_CLOSER,
    POSIX_WATCH_CARRIER,
    POSIX_WATCH_LAUNCHER, /* its end */
    POSIX_WATCH_BELL,     /* of the launchers */
    POSIX_WATCH_WORK,
    POSIX_WATCH_LISTENER,
    POSIX_WATCH_CHANNEL,
    POSIX_WATCH_EXIT, /* the end of a process */
    POSIX_WATCH_OUTPUT,
    POSIX_WATCH_LOG,
    POSIX_WATCH_STREAM,
    POSIX_WATCH_FILES /* what inotify(7) tells; and each file's name */
};

/* Something that epoll watches; embedded in its object, and epoll's user data points to it. That is
 * safe because platform_wait() turns the kernel's events into tokens before its caller can close
 * anything, and posix_watch_close() removes the registration first. */
struct posix_watch {
    enum posix_watch_kind kind;
    int descriptor;  /* -1 = none; owned, except the socket of a stream */
    bool registered; /* epoll knows the descriptor */
    uint32_t
        wanted; /* EPOLLIN | EPOLLOUT; 0 = pause (the kernel still reports errors and hang-ups) */
    uint64_t token;
};

/* Of a stream, a listener, a file or a process: its event (STREAM, LOST, CHANGED, MEASURED) is to
 * be told, and epoll will not. */
struct posix_due {
    const struct posix_watch *watch; /* NULL = it is not due */
    struct posix_due *next;
};

/* A file that must be told from a later one of the same name. A number alone may come again. */
struct file_identity {
    dev_t device;
    ino_t number;
    struct timespec modified;
};

/* What is wanted of a local socket, in the system's form: enough to make it once more. */
struct local_plan {
    struct sockaddr_un name;
    uint32_t mode;
    const uint32_t *owner; /* uid and gid, or NULL */
};

struct platform_listener {
    struct posix_watch watch;
    struct platform *platform;
    enum platform_protocol protocol;
    bool is_handed_over, is_shared;
    uint32_t backlog_count;
    struct socket_options options;
    struct address bound;
    struct local_plan plan;      /* UNIX */
    bool has_file;               /* UNIX: we have made one, which is `file` */
    struct file_identity file;   /* UNIX */
    struct posix_passed *passed; /* whose copy it is (manager.c); NULL = it is our own */
    uint32_t kept_number;        /* in the name by which the manager keeps it; 0 = it does not */
    struct carrier_job job;      /* while it is made good */
    bool resumes;                /* and is watched then */
    bool is_checked;             /* and is not */
    bool was_asked_again;        /* since that began */
    bool was_lent;               /* since it was made good, or opened */
    struct posix_due lost;
};

/* A slot of the table. In use from platform_stream_open() or platform_launch() to
 * platform_stream_close(). Watched edge-triggered: each AGAIN is followed by an edge, and the end
 * or the error of a stream of which nothing is asked costs one turn of the loop, no more. */
struct platform_stream {
    struct posix_watch watch; /* its descriptor: a socket of the caller's, or a pipe of ours */
    struct platform *platform;
    bool is_pipe;
    bool is_local; /* a local socket, on which descriptors may come (credentials.c) */
    bool read_waits, write_waits; /* the last call said AGAIN */
    /* Of a pipe: */
    struct carrier_job job; /* a read or a write that is under way */
    struct fetched fetched; /* has been read, and not been asked for yet */
    size_t written_bytes;   /* have been written, and not been told yet */
    bool is_broken;
    struct posix_due due;
};

struct output_pipe;

struct pipe_reading {
    struct carrier_job job;
    struct output_pipe *pipe;
    struct fetched fetched; /* has been read, and not been asked for yet */
};

/* What one process writes. A slot of the table, in use from the launch until all who can write are
 * gone. */
struct output_pipe {
    struct posix_node node;  /* in `list` */
    struct posix_list *list; /* of those that are not watched yet; NULL = none */
    struct platform_output *output;
    struct platform_process *process; /* NULL once that is closed */
    int descriptor;                   /* our end */
    uint32_t pid;
    uint64_t id; /* the caller's */
    uint64_t born_us;
    bool is_ready;                /* in its collector's list */
    bool is_watched;              /* in the epoll of the pipes */
    bool is_armed;                /* and it will tell */
    bool is_nonblocking;          /* our end */
    bool is_empty;                /* nothing is left in it, and nobody can write any more */
    bool has_ended;               /* nobody can write any more */
    struct pipe_reading *reading; /* by a carrier; owned; NULL = it has not come to that */
    struct output_pipe *next_ready;
};

/* A collector. */
struct platform_output {
    struct posix_node node; /* of those that have a ready pipe, and are not paused */
    struct platform *platform;
    bool is_paused;
    uint64_t token;
    struct output_pipe *first_ready, *last_ready; /* that may have something */
};

/* All pipes; output.c. */
struct posix_outputs {
    struct posix_watch watch; /* their epoll */
    bool is_paused;
    struct slots slots;
    struct output_pipe *pipes;    /* by slot */
    struct posix_list told;       /* collectors to be told of */
    bool are_last;                /* in what the next platform_wait() tells */
    struct posix_list young, old; /* pipes, oldest first: not looked at yet; looked at, and not
                                     long-lived yet */
};

struct platform_program {
    char *path;
    char *directory; /* NULL = our own */
    char **argv;
    char **environment; /* fixed_count entries, then those of one launch, then NULL */
    size_t fixed_count;
    char **variables; /* variable_count of them, "NAME=" each: what a launch may set */
    size_t variable_count;
    char *values;        /* room for all variables of one launch */
    size_t launch_bytes; /* for the values and an argv of its own */
    char *nonce;      /* 32 digits in `environment`, rewritten by each launch; NULL = no channel */
    char *listen_pid; /* room for the digits in `environment`, or NULL */
    int *passed; /* of one launch: listener_count descriptors, and then room for the channel's */
    uint32_t listener_count;
    bool ends_with_supervisor;
    bool leaves_children;
    bool forbids_new_privileges;
    bool has_identity; /* else it is as we are */
    struct identity identity;
    struct plan plan; /* of the child, which writes to `listen_pid` and `passed` */
    uint64_t number;  /* how many were made before, and it; launchers.h */
    uint32_t (*explain)(const void *explained, char *text); /* NULL = none */
    const void *explained;
    bool has_held; /* a launcher, for long: the loop does not wait for it as well */
    void *memory;  /* the one allocation that all of the above point into */
};

/* A slot of the table. In use from platform_launch() to platform_process_close(). */
struct platform_process {
    struct posix_watch channel;
    struct posix_watch end; /* its pidfd (pidfd_open(2)); without one it is found by its SIGCHLD */
    struct platform *platform;
    struct platform_process *next; /* in the chain of its hash bucket */
    struct output_pipe *output;    /* NULL = none, or at its end */
    struct launch *launch;         /* it is under way at a launcher; NULL = it is over */
    uint8_t signals;               /* to be sent then: bits of enum platform_signal */
    pid_t pid;                     /* 0: not known yet */
    pid_t speaker;  /* who sent the frame received last, as the kernel says; 0 = nobody yet */
    bool is_hidden; /* /proc did not tell what it is called */
    bool leaves_children;
    const struct platform_program *program; /* compared only: it may be gone */
    struct measuring *measuring; /* how much memory it has; owned; NULL = it has not come to that */
    struct platform_process *next_late; /* of those whose EXIT waits for their output */
    uint64_t late_until_us;             /* not longer than until then; 0 = it does not wait */
    uint32_t launcher_peak_kib; /* the most memory that its launcher had; 0 = we have launched it */
    bool ended;                 /* reaped; `exit` is valid and the pid may belong to a stranger */
    int left_bytes;             /* of what lay in the channel then, not received yet */
    struct platform_exit exit;
};

/* carriers.c */
struct posix_carriers {
    struct carrier *first;   /* owned */
    struct posix_list turns; /* owners that have jobs, in the order of their turns; owned */
    bool is_looking;         /* at what one has done */
    size_t needs_count;      /* pipes that cannot do without */
    uint64_t progress_us;    /* when something was last begun or done */
    uint64_t short_until_us; /* no new one is tried before */
    int spares[2];           /* descriptors for the first one, when there are no others */
};

/* file_watch.c */
struct posix_files {
    struct posix_watch notify; /* opened for the first one */
    struct platform_file_watch *first;
    /* Of all ways, side by side: a folder in which much happens, and many files are, is told of at
     * the cost of a look at these. */
    struct file_step *steps;
    size_t steps_count, steps_room;
    bool has_steps; /* they are those of the ways as they are */
};

/* Of children: a number stands for the same process until that is reaped. */
struct pid_list {
    pid_t *pids; /* room_count; owned */
    size_t count, room_count;
    size_t next; /* where a search begins */
    bool failed; /* one could not be added */
};

/* Signals that programs may have been told to ignore; a child must not inherit that. */
#define IGNORED_MAX 64

/* Events that are due without an object of their own, in the order in which they are told. */
enum due {
    DUE_STOP,
    DUE_RELIEF,
    DUE_HANGUP,
    DUE_RESTART,
    DUE_LAUNCHERS,
    DUE_LOG, /* LOG_WRITABLE, where epoll cannot tell (regular files) */
    DUE_COUNT
};

struct platform {
    int epoll;
    int null_device;          /* read and write */
    int handover[2];          /* the child's end, a low number, and ours (handover.c) */
    uint32_t handover_number; /* of the last packet */
    int table_end;            /* the number above that one and the null device */
    struct closer *closer;
    struct closer *ender;             /* of what others hold; NULL = nothing had to be */
    uint16_t *owners;                 /* of connections, by descriptor: see closer.h; owned */
    bool *holders;                    /* by owner: who has held a thread; owned */
    struct posix_watch closed, ended; /* their news */
    struct posix_watch signals;
    struct posix_watch children; /* SIGCHLD, looked at now and then (children.c) */
    uint64_t children_due_us;    /* when to look at them all; PLATFORM_WAIT_FOREVER = not at all */
    uint64_t children_seen_us;   /* when that was done last */
    struct platform_log *first_log; /* log.h */
    const char *stop_reason;        /* of the stop that was told last */
    const char *skipped_default;    /* platform_skipped_default() */
    bool shares_table;              /* children leave the table of descriptors; else they copy it */
    bool takes_rights;              /* handlers can send descriptors (credentials.c) */
    bool has_exit_watches;          /* a process's end is told by its own descriptor */
    bool has_terminal;              /* a controlling one, at the start */
    bool hangup_stops;              /* its end, told by SIGHUP, is a reason to stop */
    uint64_t left_us; /* when the program of before saw files last; 0 = there was none */
    bool is_due[DUE_COUNT];
    struct rlimit original_descriptors;
    struct reserve reserve;
    int ignored[IGNORED_MAX]; /* signals whose disposition a child sets back to the default */
    size_t ignored_count;
    struct platform_process *first_late; /* children.c */
    struct slots process_slots;
    struct platform_process *processes; /* by slot */
    struct platform_process **buckets;  /* bucket_count chains of living processes, by pid */
    size_t bucket_count;                /* a power of two */
    uint32_t peak_kib;                  /* the most memory that we had, when last asked */
    struct pid_list elders;             /* living children that are not ours to end */
    struct posix_outputs outputs;
    struct posix_carriers carriers;
    struct posix_launchers launchers;
    struct posix_watch bell; /* of the launchers: an eventfd(2) */
    struct posix_work *work; /* NULL = nothing is under way */
    struct posix_manager manager;
    struct posix_due *first_due; /* of streams and others */
    struct posix_files files;
    struct put_back *put_backs; /* of connections; socket.c; owned */
    struct slots stream_slots;
    struct platform_stream *streams; /* by slot */
};

/* errors.c: keeps `call` and errno (or `code`) in `cause` and returns the code of core/base/error.h
 * that stands for it in general; callers test first for what means something else to them. */
int posix_failed(struct baton_cause *cause, const char *call);
int posix_failed_with(struct baton_cause *cause, const char *call, int code);
/* For calls of the loop's whose cause nobody asks for. */
extern struct baton_cause posix_ignored;

/* calls.c */
/* fork(2); in what is built with our small musl without its care for locks, of which no other
 * thread of ours ever has one: they call close(2), and allocate nothing. */
pid_t posix_fork(void);
/* close(2), but of -1; and forgets it. (musl has a posix_close() of its own.) */
void posix_close_any(int descriptor);
void posix_close_descriptor(int *descriptor);
/* What poll(2) says at once of `events`, errors and hang-ups; 0 = nothing. */
short posix_look(int descriptor, int events);
/* setsockopt(2) of a number; 0, or -1 and errno. And one of SOL_SOCKET; 0 if it cannot be had. */
int posix_set_option(int descriptor, int level, int name, int value);
int posix_get_option(int descriptor, int name);
/* open(2) of a file in /proc/PID. */
int posix_open_of_process(pid_t pid, const char *name, int flags);
/* What one read(2) brings, with a NUL; and closes the file. Returns the length; -1 for no file. */
ssize_t posix_read_text(int file, char *text, size_t size_bytes);
/* Reads until the end or `capacity` bytes. Returns their number, or -1 and errno. */
ssize_t posix_read_all(int descriptor, void *buffer, size_t capacity);
bool posix_write_all(int descriptor, const void *bytes, size_t length);
/* sendmsg(2) without waiting, with a duplicate of `attached` unless that is -1. */
ssize_t posix_send_packet(int descriptor, const void *bytes, size_t length, int attached);

/* What one platform_wait() is to tell. */
struct told {
    struct platform_event *events; /* the caller's: `count` of `capacity` */
    size_t count, capacity;
};

/* loop.c */
/* Writes an event, for which there is room. */
void posix_tell(struct told *told, enum platform_event_kind kind, uint64_t token);
/* The next platform_wait() tells of what `watch` is of; unless that is forgotten before. */
void posix_due_add(struct platform *platform, struct posix_due *due,
                   const struct posix_watch *watch);
void posix_due_forget(struct platform *platform, struct posix_due *due);
/* Until a deadline, for poll(2) and epoll_wait(2): 0 if it has passed, -1 for none. */
int posix_timeout_ms(struct platform *platform, uint64_t deadline_us);
/* Waits for what poll(2) may say of `events`, until the deadline. */
void posix_await(struct platform *platform, int descriptor, int events, uint64_t deadline_us);
void posix_watch_init(struct posix_watch *watch, enum posix_watch_kind kind, uint64_t token);
/* Watches for `wanted` (EPOLLIN, EPOLLOUT) from now on; 0 pauses. Returns 0, or -1 and errno. */
int posix_watch_set(struct platform *platform, struct posix_watch *watch, uint32_t wanted);
/* The same for the first time: BATON_OK, or what posix_failed() says. */
int posix_watch_begin(struct platform *platform, struct posix_watch *watch, uint32_t wanted,
                      struct baton_cause *cause);
void posix_watch_forget(struct platform *platform, struct posix_watch *watch);
/* Forgets and closes; accepts an empty one. */
void posix_watch_close(struct platform *platform, struct posix_watch *watch);

/* platform.c */
uint64_t posix_clock_us(clockid_t clock);
/* Leaves to the closer what others hold or have held; accepts -1. */
void posix_let_go(struct platform *platform, int descriptor);
/* The same for a connection, with CLOSER_ENDS or without, by its owner; and who that is from now
 * on: the listener's number + 1, 0 = none. */
void posix_let_go_connection(struct platform *platform, int entry);
void posix_own(struct platform *platform, int descriptor, uint16_t owner);
uint16_t posix_owner_of(const struct platform *platform, int descriptor);
/* Nothing that is open is for a program that is executed, but standard streams. */
void posix_protect_descriptors(void);
/* Once a round of the loop. Returns when the next call is due, UINT64_MAX = no call is. */
uint64_t posix_threads_feed(struct platform *platform, uint64_t now_us);
/* Ends the threads, and starts them again: they run with the ids that their creator has then.
 * BATON_OK, BATON_SYSTEM, and to start them BATON_NO_MEMORY, BATON_SHORTAGE. */
int posix_threads_end(struct platform *platform, struct baton_cause *cause);
int posix_threads_begin(struct platform *platform, struct baton_cause *cause);
/* After an end that was for nothing: begins again, now or as soon as there is what it takes. */
void posix_threads_resume(struct platform *platform);
/* Something was short: RELIEF will tell when what the closer has is closed. Returns the code for
 * it.
 */
int posix_short(struct platform *platform);

/* thread.c: waits until the thread runs, with every signal blocked that is blocked here.
 * BATON_SHORTAGE, BATON_SYSTEM. */
int posix_thread_start(pthread_t *thread, size_t stack_bytes, void *(*run)(void *argument),
                       void *argument, struct baton_cause *cause);

/* signals.c */
/* In the calling thread: all that can end the process. 0, or -1 and errno. */
int posix_signals_block(void);
/* The mask of the calling thread: SIG_BLOCK, SIG_UNBLOCK. 0, or -1 and errno. */
#define SIGNAL_BIT(number) (UINT64_C(1) << ((number)-1))
int posix_signals_change(int how, uint64_t signals);
/* Opens the watch's descriptor, which tells of these (signalfd(2)), and watches it. */
int posix_signals_watch(struct platform *platform, struct posix_watch *watch, uint64_t signals,
                        uint32_t wanted, struct baton_cause *cause);
int posix_signals_open(struct platform *platform, struct baton_cause *cause);
void posix_signals_read(struct platform *platform);

/* strays.c: elders are children that this process had before platform_open(), and carriers. They
 * are reaped like all others, but platform_end_strays() spares them. Returns BATON_OK or
 * BATON_NO_MEMORY. */
int posix_elders_open(struct platform *platform);
void posix_elders_close(struct platform *platform);
/* False if there is no memory. */
bool posix_elders_add(struct platform *platform, pid_t pid);
bool posix_elders_has(struct platform *platform, pid_t pid);
/* To be told of each child that was reaped, since its number may come again. */
void posix_elders_forget(struct platform *platform, pid_t pid);

/* program.c: puts the values of one launch into their places. BATON_OK, BATON_TOO_LONG, or
 * BATON_INVALID if the launch is none of this program. */
int posix_program_fill(struct platform_program *program, const struct platform_launch *launch);
#define FIRST_PASSED_DESCRIPTOR 3 /* listeners (sd_listen_fds(3)), and then the channel */

/* environment.c: what a program's processes find in their environment, without what each launch
 * adds. */
struct fixed_environment {
    const char **entries; /* count of them; some point into the caller's texts and environ */
    size_t count;
    char *own; /* texts of ours; owned */
};
/* BATON_OK, or BATON_NO_MEMORY; to be cleared in any case. */
int posix_environment_choose(const struct platform_program_spec *spec,
                             struct fixed_environment *out);
void posix_environment_clear(struct fixed_environment *environment);
/* How many texts there are up to NULL, which may be all. */
size_t posix_count_texts(const char *const *texts);

/* identity.c: the steps of a plan that make the child who it is to be, from its limits to its
 * capabilities, but for what it is anyway, and for a default that the system refuses
 * (platform_skipped_default()). */
void posix_plan_add_identity(struct plan *plan, struct platform *platform,
                             const struct platform_program *program);
/* order.c: a step behind those that are there, for who fills it in. */
struct step *posix_plan_add(struct plan *plan, enum step_kind kind);
/* NULL if there is none. */
const struct step *posix_plan_find(const struct plan *plan, enum step_kind kind);

/* What a child writes as its oom_score_adj becomes that of all who have its memory, ours as well
 * (those of vfork(2) are left out; proc(5) does not tell). When the child has a memory of its own,
 * ours is put back, by the file that posix_plan_open_oom() has opened before; which is closed. */
void posix_identity_end_sharing(const struct step *oom, int file, pid_t pid);

/* accounts.c: the number that a name is; false if it is none, as UINT32_MAX is for chown(2). */
bool posix_account_is_number(const char *name, uint32_t *number);

/* credentials.c: makes a socket one to receive from. */
int posix_credentials_ask(const struct platform *platform, int descriptor,
                          struct baton_cause *cause);
/* True if the system can refuse descriptors to who sends them; else platform->takes_rights. */
bool posix_rights_can_be_refused(void);
/* Of so many descriptors, how many are then kept for them. */
rlim_t posix_rights_reserve_count(rlim_t limit_count);
/* recvmsg(2) without waiting. Returns what that does, with errno, but never EINTR. Descriptors that
 * came along are let go. */
struct origin {
    pid_t pid; /* 0: one that our pid namespace cannot name; -1: the message has no credentials,
                  which tells the end of file from a packet of no bytes */
    int flags; /* of the message: MSG_TRUNC, MSG_CTRUNC */
    bool has_rights;
};
/* recv(2) without waiting, from a local socket; the same, but that EINTR is the caller's. */
ssize_t posix_rights_receive(struct platform *platform, int descriptor, void *buffer,
                             size_t capacity);
/* Lets the peer of a local socket send descriptors, or not. 0, or -1 and errno. */
int posix_rights_allow(int descriptor, bool allowed);
ssize_t posix_credentials_receive(struct platform *platform, int descriptor, void *buffer,
                                  size_t capacity, struct origin *origin);

/* channel.c: makes the pair; our end goes into process->channel, the child's to *child_end. */
int posix_channel_open(struct platform_process *process, bool is_watched, int *child_end,
                       struct baton_cause *cause);
/* The process has ended: no more is received than lies in its channel now. The kernel adds up the
 * packets' lengths and waits for nobody. */
void posix_channel_measure(struct platform_process *process);

/* memory.c: it is not measured any more. */
void posix_process_forget_measuring(struct platform_process *process);

/* process.c: what getpid(2) tells a process in its own pid namespace: the last number of NSpid,
 * behind those of the outer ones, in what /proc says of its pidfd or in its status, however long
 * that is. Closes it. 0: it does not say; -1: it cannot be read, or the process has ended. */
pid_t posix_innermost_pid(int file);

/* output.c */
int posix_outputs_open(struct platform *platform, size_t pipe_count, struct baton_cause *cause);
void posix_outputs_close(struct platform *platform);
/* Their epoll has something. */
void posix_outputs_take_reports(struct platform *platform);
/* True if there is something to tell. */
bool posix_outputs_are_ready(const struct platform *platform);
/* Writes an OUTPUT event for each collector that has something. */
void posix_outputs_tell(struct platform *platform, struct told *told);
/* Looks at pipes of processes that live long. Returns when to do so again. */
uint64_t posix_outputs_look(struct platform *platform, uint64_t now_us);
/* A new pipe; the writing end is the caller's. BATON_OK, BATON_SHORTAGE, BATON_SYSTEM. */
int posix_pipe_open(struct platform_output *output, uint64_t id, struct output_pipe **out,
                    int *child_end, struct baton_cause *cause);
/* Its process runs; has exited. */
void posix_pipe_begin(struct output_pipe *pipe, pid_t pid);
/* True if what is in it can be read at once; else a carrier is about to see to that. */
bool posix_pipe_settles(struct output_pipe *pipe);
/* Takes what a carrier may have read meanwhile. */
void posix_pipe_look_again(struct output_pipe *pipe);
void posix_pipe_end(struct output_pipe *pipe);
/* Not while it is ready. */
void posix_pipe_close(struct output_pipe *pipe);

/* stream.c: the table, and the slots of pipes */
int posix_streams_open(struct platform *platform, size_t stream_count);
void posix_streams_close(struct platform *platform);
/* Watches our end of a pipe of the launch, which the stream owns from then on; if it fails, the
 * caller still does. */
int posix_stream_open_pipe(struct platform *platform, const struct platform_launch *launch,
                           bool is_input, int descriptor, struct platform_stream **out,
                           struct baton_cause *cause);
/* Whatever the network or the other side has done: nothing goes this way any more. BATON_GONE. */
int posix_stream_broken(struct baton_cause *cause, const char *call, int code);
/* True if what epoll has reported is what somebody waits for. */
bool posix_stream_takes_news(struct platform_stream *stream, uint32_t report);

/* stream_pipe.c: the same as the calls of platform.h, for pipes. */
int posix_stream_pipe_read(struct platform_stream *stream, void *buffer, size_t capacity,
                           size_t *length, struct baton_cause *cause);
int posix_stream_pipe_write(struct platform_stream *stream, const void *bytes, size_t length,
                            size_t *written, struct baton_cause *cause);
void posix_stream_pipe_close(struct platform_stream *stream);

/* options.c: SO_RCVBUF and SO_SNDBUF, where they are not 0; and what else TCP has. */
int posix_options_set(int descriptor, const struct socket_options *options, bool is_tcp,
                      struct baton_cause *cause);
/* As far as they can be: all options of a socket that somebody else has had. */
void posix_options_put_back(int descriptor, const struct socket_options *options, bool is_datagram);

/* listener.c: before a launch that hands it over; and LOST is to be reported. */
void posix_listener_make_blocking(const struct platform_listener *listener);
void posix_listener_lose(struct platform_listener *listener);

/* local.c: binds the listener's descriptor to the file of a local socket, and listens. */
int posix_local_listen(struct platform_listener *listener,
                       const struct platform_listener_spec *spec, struct baton_cause *cause);
/* Gives the file that was made the mode and the owner of `spec`. */
int posix_local_change(struct platform_listener *listener,
                       const struct platform_listener_spec *spec, struct baton_cause *cause);
/* The same for one that was kept by a batond of before, whatever it had. */
int posix_local_renew(struct platform_listener *listener, const struct platform_listener_spec *spec,
                      struct baton_cause *cause);
/* It is one that was passed: its file is what is there now, and another's to remove. */
void posix_local_adopt(struct platform_listener *listener, const struct sockaddr_un *name);
/* True if the file that was made is still there. */
bool posix_local_has_file(const struct platform_listener *listener);
/* Removes the file, if it is still the one that was made. */
void posix_local_remove(struct platform_listener *listener);

/* socket.c */
/* The connection is closed: putting it back is dropped. True if that has taken the descriptor over.
 */
bool posix_socket_drop_put_back(struct platform *platform, int descriptor);
void posix_sockets_close(struct platform *platform);
socklen_t posix_address_to_system(const struct address *address, struct sockaddr_storage *out);
bool posix_address_from_system(const struct sockaddr_storage *storage, struct address *out);
/* getsockname(2). False and ADDRESS_NONE, where the system does not tell. */
bool posix_own_address(int descriptor, struct address *out);

/* file_watch.c */
void posix_files_close(struct platform *platform);
/* inotify has something. */
void posix_files_take_reports(struct platform *platform);
/* Once a round of the loop. Returns when to call it at the latest. */
uint64_t posix_files_feed(struct platform *platform, uint64_t now_us);

#endif
