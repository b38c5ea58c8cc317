/*
 * Everything the supervisor asks of the operating system. This header is the whole contract: run/
 * is written against it alone, and posix/, win32/ and fake/ are three bodies of it, chosen by the
 * build. test/platform checks the same promises against each real body.
 *
 * Rules that hold for every call:
 * - One thread. No call blocks unless its description says so.
 * - Every text is UTF-8 and NUL-terminated. Every path is absolute.
 * - Calls that can fail return BATON_OK (0) or a negative code of core/base/error.h, and then fill
 *   `cause` (never NULL) with the system call and its number when the system was the reason.
 * - Nothing is allocated after platform_open(), platform_listener_open(), platform_output_open()
 *   and platform_program_create(): accepting, launching, relaying, sending, receiving and closing
 *   use tables that those calls have made. Nothing in them ever moves, and memory for them is taken
 *   from the system as their places are first used: who finds none is told BATON_SHORTAGE.
 * - Nothing that is created here is inherited by a process, except what platform_launch() gives it.
 * - Events name what they are about by the caller's `token`. A token is a number that the caller
 *   never uses twice within one platform (slot and generation), so an event that was under way when
 *   its object was closed can be recognised as stale. At most 56 significant bits: the top 8
 *   are 0.
 * - A close function takes the address of a handle, accepts an empty one, and leaves it empty.
 */
#ifndef BATON_PLATFORM_H
#define BATON_PLATFORM_H

#include "core/base/address.h"
#include "core/base/error.h"
#include "core/base/identity.h"
#include "core/base/socket_options.h"
#include "platform/channel.h"
#include "platform/control.h"
#include "platform/event_log.h"
#include "platform/file_watch.h"
#include "platform/held.h"
#include "platform/listener.h"
#include "platform/log.h"
#include "platform/machine.h"
#include "platform/manager.h"
#include "platform/restart.h"
#include "platform/work.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;         /* the loop and the tables; one per supervisor */
struct platform_program; /* a launch recipe: path, arguments, environment in the system's form */
struct platform_output;  /* collects what handlers write to standard output and error */
struct platform_process; /* one handler process and its channel */
struct platform_stream;  /* a socket or pipe that the supervisor itself reads and writes */

/* ---- The platform itself --------------------------------------------------------------------- */

/* How many may exist at once, whatever the config: 32768 connections, each with a process and one
 * more that is ending; and three streams for each relay (its socket and two pipes) beside one for
 * each connection whose PROXY header or first byte is awaited. */
#define PLATFORM_PROCESS_COUNT_MAX (2u * 32768u)
#define PLATFORM_STREAM_COUNT_MAX (3u * 32768u + 32768u)

/* Opens the loop. Raises the descriptor limit to what the system allows (children get the original
 * one back), blocks all signals (POSIX), SIGPIPE too, but those that stop, debug or
 * tell of a fault, installs the console handler (Windows), starts Winsock, becomes subreaper
 * (Linux), and makes standard streams 0-2 valid (opens the null device where one is missing). Only
 * one may be open in a process. */
int platform_open(struct platform **out, struct baton_cause *cause);

/* Closes the loop and what is left in its tables. Handler processes that still live are left alone
 * (an ordered stop ends them first with platform_process_signal and platform_end_strays). */
void platform_close(struct platform **platform);

/* Monotonic clock in microseconds, from an arbitrary start; never goes back. */
uint64_t platform_now_us(struct platform *platform);

/* Wall clock: microseconds since 1970-01-01T00:00:00Z. May jump. */
int64_t platform_wall_us(struct platform *platform);

/* The minute of the day, 0..1439, that this wall clock is at in local time; a change of the
 * system's time zone is seen within a minute. May read a file, once a minute. */
unsigned platform_local_minute(int64_t wall_us);
/* This wall clock as if local time were UTC; the same otherwise. */
int64_t platform_local_us(int64_t wall_us);

/* Fills `out` with `length` bytes from the system's cryptographic generator. Returns BATON_OK or
 * BATON_SYSTEM. May block only at early boot, until the generator is seeded. What is wanted in
 * small pieces may have been drawn ahead; it is given once. */
int platform_random(void *out, size_t length, struct baton_cause *cause);

/* The supervisor's own process id. */
uint32_t platform_own_pid(void);

/* The limit of open files, where it is too low: as it is, and what would do at least. */
struct platform_descriptors {
    uint64_t limit_count, least_count;
};

/* How many of `needed_count` further descriptors the process may not open; 0 = none, and always on
 * Windows, which sets no limit. */
size_t platform_descriptors_short(struct platform *platform, size_t needed_count,
                                  struct platform_descriptors *out);

/* Words for a system error number, without a newline or final full stop. Returns `out`. */
char *platform_error_text(long system_code, char *out, size_t size_bytes);

/* ---- Waiting --------------------------------------------------------------------------------- */

enum platform_event_kind {
    PLATFORM_EVENT_ACCEPT = 1, /* listener: platform_listener_accept() may have something; one that
                                  is handed over: a client or datagram waits */
    PLATFORM_EVENT_LOST,       /* listener: see platform_listener_resume() */
    PLATFORM_EVENT_CHANNEL,    /* process: platform_channel_receive() may have something */
    PLATFORM_EVENT_WRITABLE,   /* process: a platform_channel_send() that said AGAIN may be repeated
                                */
    PLATFORM_EVENT_OUTPUT,     /* output: platform_output_read() may have something */
    PLATFORM_EVENT_EXIT,       /* process: it has ended; platform_process_exit() tells how */
    PLATFORM_EVENT_STREAM,     /* stream: a call that said AGAIN may be repeated */
    PLATFORM_EVENT_LAUNCHED,   /* process: platform_launch_end() tells what came of its launch */
    PLATFORM_EVENT_LAUNCHERS,  /* a platform_launch() that had no launcher may find one. token 0 */
    PLATFORM_EVENT_CHANGED,    /* file that is watched: another one, or written anew */
    PLATFORM_EVENT_MEASURED,   /* process: platform_process_resident() may be repeated */
    PLATFORM_EVENT_RELIEF, /* a call that said SHORTAGE may find more: what was let go is closed; or
                              platform_socket_put_back() may be repeated. token 0 */
    PLATFORM_EVENT_STOP,   /* platform_stop_reason() tells why. token 0 */
    PLATFORM_EVENT_HANGUP, /* the config is to be read and the log opened anew: SIGHUP, or
                              (Windows) PARAMCHANGE of the service manager. token 0 */
    PLATFORM_EVENT_RESTART,     /* another program is to take our place: SIGUSR2. token 0 */
    PLATFORM_EVENT_WORKED,      /* what platform_work_start() has begun is done */
    PLATFORM_EVENT_LOG_WRITABLE /* a platform_log_write() that took less may be repeated. token 0 */
};

struct platform_event {
    enum platform_event_kind kind;
    uint64_t token;
};

#define PLATFORM_WAIT_FOREVER UINT64_MAX

/* Waits until something has happened or the monotonic clock has reached `deadline_us`
 * (PLATFORM_WAIT_FOREVER: no deadline; a time in the past: only looks), and writes up to `capacity`
 * (at least 1) events to `events`. Blocks. Returns the number of events, 0 at the deadline, or a
 * negative code. ACCEPT, CHANNEL and OUTPUT may be reported again for as long as they hold, and may
 * be reported in vain; EXIT is reported exactly once for a process, and every process that was
 * launched reports it. Never returns early more often than something happens, so a caller that
 * handles or pauses what it is told about does not spin. */
int platform_wait(struct platform *platform, struct platform_event *events, size_t capacity,
                  uint64_t deadline_us, struct baton_cause *cause);

/* What asked for the stop that was reported last: "SIGTERM", ... Static.
 * POSIX: SIGTERM, SIGINT, SIGQUIT, SIGPWR, SIGXCPU, and a SIGHUP behind which the terminal that we
 * had at the start is gone, unless SIGHUP was ignored then (nohup(1)). Windows: Ctrl-C, Ctrl-Break,
 * the end of the console, the service manager, the end of the host that it has started. */
const char *platform_stop_reason(const struct platform *platform);

/* What a PLATFORM_EVENT_HANGUP comes from. */
extern const char platform_hangup_name[];

/* ---- Sockets --------------------------------------------------------------------------------- */

/* A connected socket that the supervisor owns; a value. */
struct platform_socket {
    uintptr_t value;
};

#define PLATFORM_SOCKET_NONE ((struct platform_socket){UINTPTR_MAX})

bool platform_socket_is_open(struct platform_socket socket);

/* The address that the client of an accepted socket has connected to (getsockname(2)). A call of
 * its own, which whoever is turned away without a word need not cost. False, and family
 * ADDRESS_NONE, where the system does not tell. */
bool platform_socket_local(struct platform_socket socket, struct address *out);

/* Closes the socket soon, by another thread, and sets it to PLATFORM_SOCKET_NONE: whoever has had
 * it can make closing it wait (SO_LINGER, socket(7)). What was sent still goes out. When a call
 * says BATON_SHORTAGE while any such socket is not closed yet, PLATFORM_EVENT_RELIEF follows. */
void platform_socket_close(struct platform *platform, struct platform_socket *socket);

/* The same, of one that others may hold: its connection ends nevertheless, in the same way. */
void platform_socket_end(struct platform *platform, struct platform_socket *socket);

/* Closes at once a socket that nobody but this process has ever had, and sets it to
 * PLATFORM_SOCKET_NONE, which is accepted as well. Bytes that were not read reset the
 * connection. */
void platform_socket_drop(struct platform_socket *socket);

/* True if the peer has reset the connection (an orderly end of sending does not count). Takes no
 * byte from the socket. */
bool platform_socket_was_reset(struct platform_socket socket);

/* Before a connected socket goes to another process than the one that had it: puts back what that
 * one may have set, as far as that can be told and undone. `options` are those of its listener.
 * BATON_OK: it is as it was. BATON_AGAIN: that is under way, and takes long if somebody else is
 * using the socket; a RELIEF event follows, and the call is repeated; the socket may be closed, but
 * not handed over meanwhile. BATON_SHORTAGE. */
int platform_socket_put_back(struct platform *platform, struct platform_socket socket,
                             const struct socket_options *options);

/* Bytes needed by platform_socket_export(): sizeof(WSAPROTOCOL_INFOW). */
#define PLATFORM_SOCKET_INFO_BYTES 628

/* Describes the socket for process `pid`, which must be the leader of `process` or a member of its
 * job. Windows: WSADuplicateSocketW; `info` gets 628 bytes and *length is 628. From then on that
 * process holds a reference to the socket even if it never uses the description. POSIX: nothing is
 * needed beforehand, *length is 0. Errors: BATON_GONE if there is no such process, or
 * it has ended or is outside the job (Windows), BATON_SHORTAGE, BATON_SYSTEM.
 * https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsaduplicatesocketw */
int platform_socket_export(struct platform_process *process, uint32_t pid,
                           struct platform_socket socket, uint8_t info[PLATFORM_SOCKET_INFO_BYTES],
                           size_t *length, struct baton_cause *cause);

/* ---- Streams --------------------------------------------------------------------------------- */

/* Starts to watch a connected socket for the supervisor's own reading and writing; STREAM events
 * come with `token`. The socket stays the caller's, who must not use, close or hand it over while
 * the stream is open. An urgent byte is read like any other, in its place (SO_OOBINLINE). BATON_OK,
 * BATON_SHORTAGE (also with PLATFORM_STREAM_COUNT_MAX open), BATON_SYSTEM. */
int platform_stream_open(struct platform *platform, struct platform_socket socket, uint64_t token,
                         struct platform_stream **out, struct baton_cause *cause);

/* Reads 1..capacity bytes (capacity at least 1). Never takes more than `capacity` bytes from a
 * socket, so what follows them is still there for whoever gets the socket later. BATON_OK and
 * *length; BATON_AGAIN: nothing was there at the time of the call, a STREAM event follows when
 * there is; BATON_END: the other side has finished; BATON_GONE: reset, or broken otherwise. */
int platform_stream_read(struct platform_stream *stream, void *buffer, size_t capacity,
                         size_t *length, struct baton_cause *cause);

/* Tells, without taking a byte of a socket, whether a read would have something to say: BATON_OK: a
 * byte is there, or the end of what the other side sends; BATON_AGAIN: nothing yet, and a STREAM
 * event follows; BATON_GONE: reset, or broken otherwise. Asks the system once: poll(2), WSAPoll. */
int platform_stream_await(struct platform_stream *stream);

/* True while what said AGAIN is being done in our stead: then it does not mean yet that nothing is
 * there, or no room. A STREAM event follows. */
bool platform_stream_is_busy(const struct platform_stream *stream);

/* Writes 1..length bytes (length at least 1). BATON_OK and *written; BATON_AGAIN: nothing could be
 * taken, a STREAM event follows when it can; BATON_GONE: nobody will ever read them. After AGAIN
 * the bytes stay where they are until the call was repeated, with these or these and more, or the
 * stream is closed: what was not told may have been written by then. */
int platform_stream_write(struct platform_stream *stream, const void *bytes, size_t length,
                          size_t *written, struct baton_cause *cause);

/* Ends our sending: shutdown(SHUT_WR) of a socket, the end of file for the reader of a pipe. What
 * was written before still arrives. Idempotent. */
void platform_stream_finish(struct platform_stream *stream);

/* Stops watching and frees the table's place. A pipe is closed. A socket is again as
 * platform_listener_accept() gave it (blocking, no registration) and may be handed over; bytes that
 * were not read are still in it. */
void platform_stream_close(struct platform_stream **stream);

/* ---- Output of handlers ---------------------------------------------------------------------- */

/* Opens a collector and reports PLATFORM_EVENT_OUTPUT with `token`. Each process that is launched
 * with it has a pipe of its own, which it and its descendants alone can write to. It is read from
 * within 100 ms of the launch, or 10 ms if something is in it then (POSIX; Windows: at once). */
int platform_output_open(struct platform *platform, uint64_t token, struct platform_output **out,
                         struct baton_cause *cause);

/* Which launch a piece is of, whoever of its processes wrote it. */
struct platform_writer {
    uint32_t pid; /* of the process that was launched */
    uint64_t id;  /* platform_launch.output_id */
};

/* Reads the next piece that was written: 1..capacity bytes to `buffer`, their number to *length.
 * Who has exited comes first (POSIX). Returns BATON_OK; BATON_AGAIN when there is nothing now;
 * BATON_END when nobody is left who could write for *writer: its line can be finished. Each launch
 * that succeeds has one END (Windows: but for one that wrote nothing, when places are short). The
 * output stays usable. */
int platform_output_read(struct platform_output *output, char *buffer, size_t capacity,
                         size_t *length, struct platform_writer *writer, struct baton_cause *cause);

/* Stops and restarts the reporting of PLATFORM_EVENT_OUTPUT for all collectors; handlers that write
 * more than the system buffers wait. Idempotent. */
void platform_outputs_pause(struct platform *platform);
void platform_outputs_resume(struct platform *platform);
/* The same for one of them, beside that. */
void platform_output_pause(struct platform_output *output);
void platform_output_resume(struct platform_output *output);

void platform_output_close(struct platform_output **output);

/* ---- Programs and processes ------------------------------------------------------------------ */

#define PLATFORM_EXPLANATION_BYTES 5120
struct platform_program_spec {
    const char *path;               /* what to execute, absolute */
    const char *const *argv;        /* argv[0] first, ends with NULL */
    const char *const *inherited;   /* NAME=VALUE, ends with NULL: what it has of the supervisor's
                                       environment; NULL = nothing */
    const char *const *environment; /* NAME=VALUE, ends with NULL: additions to these, and
                                       replacements of them */
    const char *directory;          /* absolute; NULL = the supervisor's own, or the new root */
    const char *const *variables; /* names of variables that each launch sets, ends with NULL; NULL
                                     = none. Not inherited, even when a launch leaves one out */
    size_t launch_bytes;          /* room for what one launch adds: the values of `variables` and
                                     an argv of its own, all with their NULs */
    bool has_channel;             /* launches make a channel */
    uint32_t listener_count;      /* POSIX: listeners that every launch hands over; 0 = none */
    const char *listener_names;   /* LISTEN_FDNAMES: a name for each, ':' between them; NULL =
                                     "unknown" for each */
    const char *service;          /* BATON_SERVICE in its environment; NULL = not set */
    const struct identity *identity; /* as whom it runs, within which limits; NULL = as this process
                                        does. POSIX: all of it, and what fails is a failure of the
                                        launch. Windows: the limits of memory, of time on processors
                                        and of processes alone, for all of its job together */
    bool forbids_new_privileges; /* POSIX: what it executes gives it none (PR_SET_NO_NEW_PRIVS) */
    bool is_sandboxed;           /* Windows: without our privileges and administrators' rights, at
                                    low integrity; elsewhere nothing */
    bool leaves_children;        /* what is left of its group or job when it exits lives on */
    bool ends_with_supervisor;   /* POSIX: gets SIGTERM when this process has ended, however */
    /* What a launcher calls when a step of its launch has failed, which may wait as long as it has
     * to: writes why, with its NUL; returns a number of the caller's, 0 = nothing is to be told.
     * NULL = none. It has what was there when the program was created, and what it writes
     * elsewhere is lost. */
    uint32_t (*explain)(const void *explained, char text[PLATFORM_EXPLANATION_BYTES]);
    const void *explained;
};

/* Prepares a launch recipe; copies everything it needs. On Windows argv becomes a command line that
 * CommandLineToArgvW and the C runtimes take apart again into the same texts; the environment block
 * is made here. Errors: BATON_NO_MEMORY, BATON_TOO_LONG (the system's limit for arguments),
 * BATON_INVALID (argv[0] cannot be expressed; text is not UTF-8). */
int platform_program_create(struct platform *platform, const struct platform_program_spec *spec,
                            struct platform_program **out, struct baton_cause *cause);
void platform_program_destroy(struct platform_program **program);

/* A default of an identity that the system has refused, and that programs made until now go
 * without: "oom_score_adj"; NULL = none. Static. */
const char *platform_skipped_default(const struct platform *platform);

/* Makes the process, which is root, another user for ever: ids and groups as `identity` says, with
 * those of its capabilities that it has (capabilities(7)) and no other, to be called while no
 * connection and no process is there. With `forbids_new_privileges` no program that is executed
 * gains any. Programs that were made before are to be made anew. BATON_OK; after anything else the
 * process may be neither the one nor the other, and is to end: BATON_DENIED, BATON_SYSTEM,
 * BATON_NO_MEMORY, BATON_SHORTAGE, BATON_UNSUPPORTED (Windows). */
int platform_become(struct platform *platform, const struct identity *identity,
                    bool forbids_new_privileges, struct baton_cause *cause);

/* What the standard streams of a process are. Where output and error go to the log, that is
 * platform_launch.output. */
enum platform_streams {
    PLATFORM_STREAMS_LOG,    /* input: the null device; output, error: the log */
    PLATFORM_STREAMS_SOCKET, /* input, output: `socket`; error: the log, or `socket` */
    PLATFORM_STREAMS_PIPES,  /* input, output: pipes to the supervisor; error: the log, or the same
                                pipe as output */
    PLATFORM_STREAMS_LISTENERS /* POSIX: descriptors 3, 4, ... are `listeners`, made blocking, and
                                  input is one of them; output, error: the log. LISTEN_FDS,
                                  LISTEN_FDNAMES and LISTEN_PID are set (sd_listen_fds(3)) */
};

struct platform_launch {
    const struct platform_program *program;
    const char *const *argv;   /* instead of the program's, ends with NULL; NULL = the program's */
    const char *const *values; /* of the program's `variables`, in their order; an entry NULL = that
                                  one is not set; NULL = none is set */
    const char *nonce_hex;     /* 32 hex digits where the program has a channel; else NULL */
    struct platform_output *output; /* NULL = the null device */
    uint64_t output_id;             /* for platform_output_read(); may be 0 */
    enum platform_streams streams;
    bool error_follows_output;                  /* SOCKET, PIPES: error does not go to the log */
    struct platform_socket socket;              /* SOCKET: stays the caller's */
    struct platform_listener *const *listeners; /* LISTENERS: as many as the program's
                                                   listener_count; paused */
    uint32_t input_listener; /* LISTENERS: index of the one that is standard input too */
    /* With platform_offers_at_launch(): a frame that the process finds in its channel, of at most
     * PLATFORM_SEND_MAX_BYTES, with a copy of a socket that stays the caller's; NULL = none. */
    const uint8_t *offer;
    size_t offer_bytes;
    struct platform_socket offer_socket;
    uint64_t token;                     /* of the process's events */
    uint64_t input_token, output_token; /* PIPES: of the two streams' events */
};

/* What platform_launch() made. */
struct platform_launched {
    struct platform_process *process;
    struct platform_stream *input;  /* PIPES: writes to standard input; else NULL */
    struct platform_stream *output; /* PIPES: reads standard output; else NULL */
    /* SOCKET: our copy of it is closed already, and the caller forgets it. POSIX: after a launch,
     * but of a program that has another user, other privileges or fewer descriptors than we have;
     * and after one that failed, in the very rare case that the system would not give it back: then
     * `cause` says why, and the next launch with it BATON_GONE. Windows: never, the caller closes
     * it. */
    bool has_taken_socket;
    bool has_offered; /* `offer` is in the channel: it is, unless something was short. By
                         platform_launch() alone, also where that says AGAIN */
    /* By platform_launch_end(), where the launch has failed: what explain() has said, until the
     * next platform_wait(); and the socket that platform_launch() had taken, which is the caller's
     * again; PLATFORM_SOCKET_NONE where has_taken_socket. */
    struct platform_socket socket;
    uint32_t explained; /* 0 = nothing */
    const char *explanation;
};

/* POSIX: launches are made by so many processes of our own, and the loop goes on meanwhile; 0, as
 * at first: by the caller. For launches that begin later. BATON_OK, and `*count` is how many there
 * are to be from then on; or that is 0:
 * BATON_UNSUPPORTED, where the system cannot (Linux before 5.9; Windows), BATON_SHORTAGE, where few
 * descriptors are left. */
#define PLATFORM_LAUNCHERS_BY_CORES UINT32_MAX /* as many as suit the machine */
int platform_launchers_set(struct platform *platform, uint32_t *count);

/* True if platform_launch() of that program would find no launcher: a LAUNCHERS event follows. So
 * nothing is made for a launch that has to wait. */
bool platform_launch_waits(struct platform *platform, const struct platform_program *program);

/* Whether a launch can put an `offer` into the channel, as a socket needs not be made for one
 * process. POSIX: true. Windows: false. */
bool platform_offers_at_launch(const struct platform *platform);

/* Launches a process. With a channel its environment gets BATON_PROTOCOL=1, BATON_CHANNEL and
 * BATON_NONCE. It leads a process group and has no terminal (POSIX), or is in a job of
 * its own from its first instruction (Windows), has default signal dispositions, an empty signal
 * mask, the original descriptor limit (but what `identity` says), and no descriptor or handle but
 * those that were named. Events CHANNEL, WRITABLE and EXIT come with `token`. The streams of PIPES
 * are the caller's, to be closed by platform_stream_close(), before or after the process. Blocks as
 * long as the system needs to start a process. Errors (nothing is left behind): BATON_NOT_FOUND,
 * BATON_NOT_EXECUTABLE, BATON_DENIED, BATON_SHORTAGE for what is short for every service
 * (descriptors, memory, processes; also when a table is full), BATON_LIMIT for what this program
 * alone waits for: a limit of its user's (RLIMIT_NPROC, execve(2); Windows has none), or whoever is
 * writing its file (ETXTBSY, ERROR_SHARING_VIOLATION); BATON_TOO_LONG (more than launch_bytes, or
 * than the system allows), BATON_SYSTEM. */
int platform_launch(struct platform *platform, const struct platform_launch *launch,
                    struct platform_launched *out, struct baton_cause *cause);

/* With launchers, platform_launch() says BATON_AGAIN, and does not block. With a process in `out`
 * (and no streams yet) its launch is under way: a LAUNCHED event comes, with its token, before any
 * other of its events, and then this call is to be made, once. What the launch has got may be
 * forgotten by the caller, but for the program, and the output. The process may be signalled, and
 * its channel closed, meanwhile; it has no pid, and nothing is received or sent. Without one, all
 * launchers that this program may have are busy: a LAUNCHERS event follows, and the call is
 * repeated. This one returns what platform_launch() would have: BATON_OK, and `out` as it; or why
 * not: then the process is closed and set to NULL. BATON_AGAIN: its launcher has not come to it, or
 * was killed before, and platform_launch() is to be called once more. */
int platform_launch_end(struct platform_process **process, struct platform_launched *out,
                        struct baton_cause *cause);

/* Pid of the process that was launched. */
uint32_t platform_process_pid(const struct platform_process *process);

/* The pid of the process that may speak for this one and calls itself `pid`, as a HELLO says; 0:
 * there is none. POSIX: it is the one that the kernel names as the sender of the frame last
 * received (SCM_CREDENTIALS), and `pid` is either that or what it is called in its own pid
 * namespace (pid_namespaces(7); NSpid of proc(5)). Windows: a process with that id is in our job
 * (IsProcessInJob). */
uint32_t platform_process_speaker(struct platform_process *process, uint32_t pid);

/* True if that has said 0 because the system does not show the sender (it has ended; on Linux
 * before 5.5 also hidepid of proc(5)), so that nobody knows what it is called. Windows: never. */
bool platform_process_is_hidden(const struct platform_process *process);

enum platform_signal {
    PLATFORM_TERMINATE, /* SIGTERM to the group; on Windows Ctrl-Break, for one that has no channel
                           and a console; else ends the job, Windows having no such thing */
    PLATFORM_KILL       /* SIGKILL to the group; ends the job */
};

/* Signals the whole group or job; the leader alone where it leaves children (POSIX). Does nothing
 * after EXIT was reported. The EXIT event follows. Does not wait: on Windows another thread has the
 * program told, and ends the job of one that cannot be told. */
void platform_process_signal(struct platform_process *process, enum platform_signal how);

/* True if its job was ended because it could not be told to end, and in `cause` why (Windows). */
bool platform_process_was_deaf(const struct platform_process *process, struct baton_cause *cause);

struct platform_exit {
    bool by_signal; /* a signal (POSIX) or the code of an exception (Windows: the system's errors,
                       0xC0000000..0xCFFFFFFF; breakpoint, C++ and .NET: 0x80000003, 0xE06D7363,
                       0xE0434352) */
    uint32_t code;  /* exit code; or the signal's number, or the exception's code */
    bool by_broken_pipe; /* the signal was SIGPIPE; never on Windows, which has none */
    /* What its leader, and who that has waited for itself, have used in user and system mode
     * (ru_utime and ru_stime of wait4(2)); and the most that one of them had resident (ru_maxrss).
     * Windows: all of its job, and the most that one of it had committed. 0 = not known: so is a
     * peak below our own, since until its execve(2) a process counts what we have. */
    uint64_t cpu_us;
    uint32_t memory_peak_kib;
};

/* True once its leader has ended, be it that EXIT has not been reported yet. */
bool platform_process_has_ended(const struct platform_process *process);

/* The memory that the process itself has resident, in KiB. BATON_OK; BATON_AGAIN: it is being
 * looked at, a MEASURED event follows, and the call is repeated; BATON_GONE: it has ended, or the
 * system does not tell; BATON_SHORTAGE. POSIX: /proc/PID/statm, proc(5). Windows: the working set,
 * GetProcessMemoryInfo. */
int platform_process_resident(struct platform_process *process, uint32_t *resident_kib);

/* How it ended; valid from the EXIT event on. When the leader ends, the platform ends the rest of
 * its group or job before it reaps the leader, and reports EXIT only then; unless its program
 * leaves_children. */
struct platform_exit platform_process_exit(const struct platform_process *process);

/* Frees the process's slot and channel. Must be called after EXIT; before it, the process is
 * killed first and its EXIT is not reported any more. */
void platform_process_close(struct platform_process **process);

/* Which of the processes that descend from handlers are to be ended, although the handler is gone.
 */
struct platform_strays {
    void *context;
    /* Whether one of that service is; NULL: that is not known. `ends` NULL: none is. */
    bool (*ends)(void *context, const char *service);
    size_t left_count; /* out: those who live on */
};

/* Ends processes that descend from handlers and have become our children (Linux: as subreaper;
 * children that this process had before platform_open() are spared), all or as `strays` says, and
 * waits for them until `deadline_us`. Which service one is of, its environment says: a hint. For
 * the ordered stop, after all handlers are closed. Blocks. Returns the number of processes it had
 * to end. */
size_t platform_end_strays(struct platform *platform, struct platform_strays *strays,
                           uint64_t deadline_us);

#endif
