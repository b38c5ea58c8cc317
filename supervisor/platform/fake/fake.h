/*
 * The fake body of platform.h: no system, a clock that only the test turns, and a world that it
 * plays: clients that connect, send, read slowly and reset, handlers that say what they like, calls
 * that fail.
 *
 * supervisor_run() runs on it unchanged. Whenever nothing is left to report, platform_wait() asks
 * the director (below), so a test lives inside that call: it changes the world and lets the
 * supervisor look at it. There is one world at a time, from fake_begin() to fake_end().
 *
 * Everything is counted. What a caller of platform.h must not do (closing a socket twice, using a
 * socket whose stream is open, handing over a listener that is not paused, using a closed process,
 * spinning) is kept as a misuse, which a test must find to be NULL at its end.
 *
 * Not here: platform_arguments(), the calls for files and paths, and the constants for validation,
 * which the supervisor's main.c alone uses.
 */
#ifndef BATON_PLATFORM_FAKE_H
#define BATON_PLATFORM_FAKE_H

#include "platform/platform.h"

#include <setjmp.h>

/* Launches are under way until the supervisor waits, so many at a time: 0 = none is. And as long as
 * they are held. Of the next ones so many are lost: their launcher is killed before it begins. */
void fake_launch_late(uint32_t count);
void fake_hold_launches(bool holds);
void fake_lose_launches(uint32_t count);
/* How many are under way. */
uint32_t fake_launching_count(void);

#define FAKE_NONE UINT32_MAX
#define FAKE_ALWAYS UINT32_MAX
#define FAKE_START_US 1000000000u
/* Waits without the director being asked and without the clock moving; more is spinning. */
#define FAKE_SPIN_COUNT 20000u
/* Bytes that the pipe to a program takes before it reads. */
#define FAKE_PIPE_BYTES 65536u

/* ---- The world ------------------------------------------------------------------------------- */

struct fake_director {
    void *context;
    /* Nothing is left to report before `deadline_us`. True: something was changed, look again;
     * false: the clock jumps to the deadline. Without a deadline and without a change the wait
     * fails, since it would never end. */
    bool (*idle)(void *context, uint64_t deadline_us);
    /* A living process is signalled. It may still send, and end, or stay alive. NULL: it ends. */
    void (*signalled)(void *context, uint32_t process, enum platform_signal how);
};

/* Starts an empty world at FAKE_START_US; `director` is copied. */
void fake_begin(const struct fake_director *director);
/* Frees it, whatever is left in it. */
void fake_end(void);

/* The first thing that was done wrong, NULL if nothing was. Static until fake_end(). */
const char *fake_misuse(void);

/* What the supervisor has not given back. All zero once it has ended. */
struct fake_left {
    uint32_t platform_count, listener_count, output_count, program_count;
    uint32_t stream_count;
    uint32_t file_watch_count;
    uint32_t socket_count;  /* accepted sockets that it has open */
    uint32_t copy_count;    /* sockets and listeners that handlers have open */
    uint32_t process_count; /* processes alive or not closed */
    uint32_t channel_count; /* channels of which either end is open */
};
struct fake_left fake_left(void);

/* How often platform_wait() was called. */
uint64_t fake_wait_count(void);

/* Turns the clock. */
void fake_advance_us(uint64_t us);
uint64_t fake_now_us(void);

/* Where a restart comes out (setjmp(3)), for the supervisor to be run again: it finds what the one
 * of before has left. NULL: there can be none. */
void fake_restart_at(jmp_buf *point);
uint32_t fake_restart_count(void);

/* Asks for an ordered stop. */
void fake_stop(void);

/* All that the service manager was told, an empty line behind each time; and how often it wants to
 * hear of us from the next start on (platform_manager_watchdog_us()). */
const char *fake_manager_was_told(void);
void fake_manager_watches_us(uint64_t us);

/* From now on the system has a log of events; and what it was told: "400 warning TEXT" and a line
 * feed each time. */
void fake_event_log_open(void);
const char *fake_event_log_text(void);
/* So many are lost, and that is to be told. */
void fake_event_log_lose(size_t count);

/* While it is held, what platform_work_start() has begun is not done; else at once. */
void fake_work_hold(bool holds);

/* Reports an event that the world has no reason for: one that was under way too long. */
void fake_inject(enum platform_event_kind kind, uint64_t token);

/* Reports events in an order drawn from this seed; 0 (as at the start): in a fixed order. */
void fake_shuffle(uint64_t seed);

/* ---- Calls that fail ------------------------------------------------------------------------- */

enum fake_call {
    FAKE_OPEN,
    FAKE_LOG_OPEN,
    FAKE_LOG_WRITE, /* takes all and drops it */
    FAKE_PROGRAM,
    FAKE_OUTPUT,
    FAKE_LISTEN,
    FAKE_ACCEPT, /* with BATON_GONE the client that was next is gone */
    FAKE_LAUNCH,
    FAKE_STREAM, /* platform_stream_open() */
    FAKE_FILE_WATCH,
    FAKE_RANDOM,
    FAKE_EXPORT,
    FAKE_SEND,
    FAKE_OFFER, /* that of a launch: it is not put into the channel */
    FAKE_WAIT,
    FAKE_BECOME,
    FAKE_WORK,
    FAKE_RESTART,
    FAKE_CALL_COUNT
};

/* The next `count` calls (FAKE_ALWAYS: all) return `code`; 0 ends it. */
void fake_fail(enum fake_call call, int code, uint32_t count);
/* From now on each launch takes so long, whatever comes of it; 0 at the beginning. */
void fake_launch_takes_us(uint64_t us);
/* platform_processors_count(); 1 at the beginning. */
void fake_processors(uint32_t count);
/* The system refuses this default (platform_skipped_default()). */
void fake_skip_default(const char *name);
/* What platform_become() was told last, and when. */
struct fake_become {
    uint32_t listener_count; /* open then */
    uint32_t uid;
    uint64_t capabilities;
    bool forbids_new_privileges;
};
struct fake_become fake_became(void);
/* How often the call was made since fake_begin(). */
uint32_t fake_call_count(enum fake_call call);

/* ---- Listeners ------------------------------------------------------------------------------- */

struct fake_listener {
    struct platform_listener_spec spec; /* a copy; texts live until fake_end() */
    bool is_open, is_paused;
    uint32_t holder_count; /* processes that have it */
    bool is_kept;          /* by the service manager */
    uint32_t change_count; /* of calls of platform_listener_change() that were done */
};

/* How many were opened; the last is number count - 1. */
uint32_t fake_listener_count(void);
const struct fake_listener *fake_listener(uint32_t listener);
/* A handler that has it does something to it that cannot be made good. */
void fake_listener_spoil(uint32_t listener);

/* ---- Clients --------------------------------------------------------------------------------- */

/* Whoever wants something from a listener: a connection, or one datagram. */
struct fake_client {
    uint32_t listener;        /* number */
    bool is_datagram;         /* ends when it is taken */
    uint64_t accepted_number; /* 1 for the first accepted connection; 0 = still in the backlog */
    bool is_taken;            /* a process took it from a listener that it has */
    bool refused;             /* its listener was closed, or it had left before the accept */
    bool was_reset;           /* it has reset the connection */
    bool supervisor_has;      /* the supervisor's copy is open */
    uint32_t put_back_count;  /* of platform_socket_put_back() */
    uint32_t copy_count;      /* copies that handlers have open */
    bool got_end;             /* it was told the end of what is sent to it */
    bool was_cut; /* the last copy was closed with bytes unread: it got a reset (PITFALLS 13) */
};

/* A client connects to the listener on `port`. Returns its number, from 0; FAKE_NONE if nobody
 * listens there. Its peer address is 10.x.y.z with that number, and port 50000. */
uint32_t fake_connect(uint16_t port);
/* The same for a local socket. Its peer has user id 1000 and that number + 1 as its pid. */
uint32_t fake_connect_path(const char *path);
/* Clients of local sockets that are accepted from now on have this user id, and no pid, as those of
 * a pid namespace that ours does not contain. */
void fake_hide_pids(uint32_t uid);
/* A datagram arrives at the UDP socket on `port`. */
uint32_t fake_datagram(uint16_t port);
/* The client resets the connection, and what it has sent is gone; fake_lose(): writes to it fail,
 * but what it has sent can still be read. */
void fake_reset(uint32_t client);
void fake_lose(uint32_t client);
uint32_t fake_client_count(void);
const struct fake_client *fake_client(uint32_t client);
/* The client whose connection was accepted as the `number`th; FAKE_NONE if there is none. */
uint32_t fake_client_accepted(uint64_t number);

/* The client sends; ends its sending. Not after its end or reset. */
void fake_client_send(uint32_t client, const void *bytes, size_t length);
void fake_client_finish(uint32_t client);
/* From now on the client takes `bytes` more; SIZE_MAX (as at the start): all. */
void fake_client_set_room(uint32_t client, size_t bytes);
/* All that was sent to it; lives until more is sent. */
const char *fake_client_received(uint32_t client, size_t *length);
/* What it has sent and nobody has read yet. */
const char *fake_client_unread(uint32_t client, size_t *length);

/* ---- Streams --------------------------------------------------------------------------------- */

struct fake_stream {
    uint64_t token;
    bool is_open;
    uint32_t client;  /* whose socket it watches; FAKE_NONE */
    uint32_t process; /* whose pipe it is; FAKE_NONE */
    bool is_input;    /* the pipe leads to the process */
};

/* How many were opened; the last is number count - 1. */
uint32_t fake_stream_count(void);
const struct fake_stream *fake_stream(uint32_t stream);

/* One read or write moves `most_bytes` at most (SIZE_MAX as at the start), and while events are
 * shuffled any number from 1 to that. */
void fake_set_chunk(size_t most_bytes);

/* From now on whatever is asked of pipes is under way (platform_stream_is_busy()), or as at the
 * start not. */
void fake_set_busy(bool busy);

/* ---- Handler processes ----------------------------------------------------------------------- */

struct fake_process {
    uint32_t pid; /* 1000 for the first, and so on */
    uint64_t token;
    char nonce_hex[33];
    bool is_alive;
    bool is_launching;        /* platform_launch_end() is still to come */
    bool is_closed;           /* by the supervisor */
    bool supervisor_end_open; /* of the channel */
    bool handler_end_open;
    uint32_t terminate_count, kill_count; /* signals that it got */
    uint32_t copy_count;                  /* sockets that it has */
    uint32_t listener_count;              /* listeners that it has */
    bool has_channel;                     /* was launched with one */
    enum platform_streams streams;
    bool error_follows_output;
    uint32_t input_listener;    /* number of the listener that is standard input; FAKE_NONE */
    const char *listener_names; /* of those that it was handed, ':' between them; NULL */
    uint32_t client; /* whose connection its standard streams were at the launch; FAKE_NONE */
    uint64_t launched_us, ended_us;
    uint32_t measured_count; /* calls of platform_process_resident() */
};

/* How many were launched; the last is number count - 1. */
uint32_t fake_process_count(void);
const struct fake_process *fake_process(uint32_t process);

/* What it was launched with: its `index`th argument, NULL past the last; the value of a variable of
 * its program or its launch, NULL if there is none; its `index`th listener's number, in the order
 * of the descriptors, FAKE_NONE past the last. */
const char *fake_argument(uint32_t process, uint32_t index);
const char *fake_variable(uint32_t process, const char *name);
uint32_t fake_handed_listener(uint32_t process, uint32_t index);

/* A frame for the handler. */
struct fake_frame {
    const uint8_t *bytes; /* live until the next call for this process */
    size_t length;
    uint32_t client;   /* whose socket came with it; FAKE_NONE */
    uint32_t listener; /* which listener came with it; FAKE_NONE */
};

/* Takes the next frame that the supervisor sent. BATON_OK; BATON_AGAIN when there is none;
 * BATON_END when there is none and the supervisor has closed its end. */
int fake_handler_receive(uint32_t process, struct fake_frame *out);

/* Sends bytes as one frame of at most 1024 bytes, in the name of `sender_pid` (0: its own). False
 * when the supervisor's end is closed, the handler's is, the process is dead, or its stream has
 * lost step, so that nobody would read the frame. */
bool fake_handler_send(uint32_t process, const void *bytes, size_t length, uint32_t sender_pid);
/* Sends something that platform_channel_receive() answers with `code` (BATON_INVALID,
 * BATON_TOO_LONG) once; or, when `lasting`, from then on, as a stream does that has lost step. */
bool fake_handler_send_fault(uint32_t process, int code, bool lasting);
void fake_handler_close_channel(uint32_t process);
/* It could not be told to end, its end will say. */
void fake_handler_deafen(uint32_t process);
/* Nobody can see what it is called in a pid namespace. */
void fake_handler_hide(uint32_t process);
/* Leaves the channel's end to a descendant that outlives the process. */
void fake_handler_leave_channel(uint32_t process);
/* Closes the handler's copy of a client's socket, if it has one. */
void fake_handler_close_client(uint32_t process, uint32_t client);
/* Takes from the listeners that it has who has waited longest there; FAKE_NONE if nobody does. It
 * then has that client's connection; of a datagram nothing is left. */
uint32_t fake_handler_take(uint32_t process);
/* Closes its copies of all listeners. */
void fake_handler_close_listeners(uint32_t process);
/* Ends the process, and with it all that it has open. */
void fake_handler_exit(uint32_t process, bool by_signal, uint32_t code);
/* Lets sending to the handler say BATON_AGAIN; with false a WRITABLE event follows. */
void fake_handler_set_full(uint32_t process, bool full);

/* Writes to the standard output of the process, in the name of `pid` (0: its own). */
void fake_handler_write(uint32_t process, uint32_t pid, const void *bytes, size_t length);
/* Reports the end of its output, as Windows does. */
void fake_handler_end_output(uint32_t process);

/* The program at the other end of the pipes reads what was written to its standard input: BATON_OK
 * with 1..capacity bytes, BATON_AGAIN, or BATON_END. */
int fake_program_read(uint32_t process, void *buffer, size_t capacity, size_t *length);
/* Writes to its standard output. False when nobody reads that any more (SIGPIPE). */
bool fake_program_write(uint32_t process, const void *bytes, size_t length);
/* Bytes of that which the supervisor has not read yet. */
size_t fake_program_unread_bytes(uint32_t process);
void fake_program_close_input(uint32_t process);
void fake_program_close_output(uint32_t process);
/* Its output cannot be read any more, as when a carrier was killed; the program does not know. */
void fake_program_lose_output(uint32_t process);
/* Leaves the pipes to a descendant that outlives the process, until they are closed as above. */
void fake_program_leave_pipes(uint32_t process);

/* Sets a limit of descriptors, below which so many are left. */
void fake_limit_descriptors(size_t left_count);

/* As on Windows: platform_socket_export() describes the socket in 628 bytes, and a launch cannot
 * hand over listeners. */
void fake_as_on_windows(bool on);
/* As on POSIX, but that a launch puts no offer into the channel. */
void fake_offers_late(bool on);

/* ---- What processes use ---------------------------------------------------------------------- */

/* What its end will tell. */
void fake_handler_costs(uint32_t process, uint64_t cpu_us, uint32_t memory_peak_kib);

/* The process has so much resident; 0 (as at the start): it cannot be told. */
void fake_handler_has_memory(uint32_t process, uint32_t resident_kib);
/* From now on it takes until the next event to find out. */
void fake_measures_late(bool on);

/* ---- Files that change ----------------------------------------------------------------------- */

/* The file is another, or written anew: who watches it is told. Returns how many do. */
uint32_t fake_file_changes(const char *path);

/* ---- The log --------------------------------------------------------------------------------- */

/* Everything written so far, NUL-terminated; lives until the next write. */
const char *fake_log(void);
/* From now on the sink takes `bytes` more without blocking; SIZE_MAX (as at the start): all. */
void fake_log_set_room(size_t bytes);
/* The same of a service's own log, by its path; NULL = it was never opened. */
const char *fake_log_at(const char *path);
void fake_log_set_room_at(const char *path, size_t bytes);
/* While it is, it drops what it takes, as on a full disk. */
void fake_log_set_full_at(const char *path, bool on);
/* It cannot be opened, so many times. */
void fake_log_refuse(const char *path, uint32_t count);
bool fake_log_is_open(const char *path);
/* How often it was, or was opened anew. */
uint32_t fake_log_opened_count(const char *path);
/* Standard error is the journal. */
void fake_log_is_journal(void);
/* What was said beside the log. */
const char *fake_warnings(void);
/* What was printed with platform_print(), NUL-terminated. */
const char *fake_printed(void);

#endif
