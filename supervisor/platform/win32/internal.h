/*
 * What the files of the Windows body share. Nothing here is seen by run/.
 *
 * Threads: the supervisor's own; the threads of the system's pool, which run nothing but
 * watch_fired(); the writers of logs (log.c, event_log.c); the one that has programs told to end
 * (breaker.c); and the thread on which Windows calls the console handler (console.c). Only the
 * first one touches the tables.
 */
#ifndef BATON_PLATFORM_WIN32_INTERNAL_H
#define BATON_PLATFORM_WIN32_INTERNAL_H

#include "core/base/slots.h"
#include "platform/platform.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

/* ---- Packets and watches (watch.c) ---- */

/* What a packet of the completion port is about. Only posted packets travel there: an object that
 * is bound to a port can never be bound to another process's. */
enum packet_kind {
    PACKET_ACCEPT,
    PACKET_CHANNEL,
    PACKET_WRITABLE,
    PACKET_EXIT,
    PACKET_PIPE,   /* one process's output pipe */
    PACKET_OUTPUT, /* a collector that still has something ready */
    PACKET_STREAM,
    PACKET_STOP,
    PACKET_LOG,
    PACKET_CHANGED, /* a file that is watched */
    PACKET_WORK,    /* what another thread did */
    PACKET_HANGUP
};

#define PACKET_KIND_BITS 4

/* Posts a packet; never blocks. `index` and `generation` name the object in its table. Its kind is
 * remembered if the system has no room for it, and the next platform_wait() makes good for it.
 * https://learn.microsoft.com/windows/win32/fileio/postqueuedcompletionstatus */
void win32_packet_post(HANDLE port, enum packet_kind kind, uint32_t index, uint32_t generation);

/* The kinds of which a packet was lost since the last call, each as 1 << kind. For any thread. */
LONG win32_packets_take_lost(void);
/* As if some of these were lost, each as 1 << kind. */
void win32_packets_lose(LONG kinds);

/* Turns the signal of a waitable object into packets. Must not move while it is running. */
struct watch {
    HANDLE port; /* not owned */
    HANDLE registration;
    enum packet_kind kind;
    uint32_t index;
    uint32_t generation;
};

/* Before the first watch is started and after the last one was stopped, for all of the process.
 * BATON_OK, or the code of a failed CreateEventW. */
int win32_watches_open(struct baton_cause *cause);
void win32_watches_close(void);

/* Starts to watch an auto-reset event until win32_watch_stop(), one packet a signal. BATON_OK or
 * BATON_SHORTAGE.
 * https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-registerwaitforsingleobject */
int win32_watch_start(struct watch *watch, HANDLE event, struct baton_cause *cause);

/* Starts to watch a process: one packet when it ends or `bound_ms` (INFINITE: no bound) have
 * passed, whichever is first. Errors as above. */
int win32_watch_end(struct watch *watch, HANDLE process, DWORD bound_ms, struct baton_cause *cause);

/* Stops it; when this returns no callback runs and none will, and the system looks at the object no
 * more. Packets may still be in the port. Accepts a watch that was not started. Waits for a running
 * callback, which only posts. For the supervisor's thread only.
 * https://learn.microsoft.com/windows/win32/api/threadpoollegacyapiset/nf-threadpoollegacyapiset-unregisterwaitex
 */
void win32_watch_stop(struct watch *watch);

/* ---- Who may open what is ours (access.c) ---- */

union win32_access_list {
    ACL list;
    BYTE room[256];
};

/* Everything for the user of `token` and the system, nothing for anybody else. False with the cause
 * in GetLastError().
 * https://learn.microsoft.com/windows/win32/secauthz/dacls-and-aces */
bool win32_access_list(HANDLE token, union win32_access_list *out);
/* Before win32_access_own(), for all of the process. BATON_OK or what the system says. */
int win32_access_open(struct baton_cause *cause);
/* For an object that we and the system alone may open, and nobody inherits. */
SECURITY_ATTRIBUTES win32_access_own(void);

/* ---- Our end of a one-way pipe (pipe.c) ---- */

/* At most one overlapped operation is under way, on an auto-reset event that `watch` turns into
 * packets. Every end of an operation sets the event, also an immediate one, so every operation that
 * win32_pipe_read() or win32_pipe_write() started is followed by a packet once the watch runs. */
struct pipe_end {
    HANDLE handle; /* NULL = closed */
    HANDLE event;
    OVERLAPPED operation;
    struct watch watch;
    bool started; /* an operation was started and its result not yet taken */
};

enum pipe_direction { PIPE_TO_US, PIPE_FROM_US };

/* Creates a pipe that nobody else can open, by its name, its owner and its one instance, and opens
 * both ends; ours not inheritable, *theirs inheritable and synchronous.
 * The watch's fields but not its registration are the caller's. BATON_OK, BATON_SHORTAGE,
 * BATON_SYSTEM.
 * https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew */
int win32_pipe_open(struct pipe_end *end, enum pipe_direction direction, DWORD buffer_bytes,
                    HANDLE *theirs, struct baton_cause *cause);

/* Start an operation; `buffer` must live until its result was taken. BATON_OK, BATON_END (broken),
 * BATON_SHORTAGE, BATON_SYSTEM; nothing is under way after an error. */
int win32_pipe_read(struct pipe_end *end, void *buffer, DWORD length, struct baton_cause *cause);
int win32_pipe_write(struct pipe_end *end, const void *bytes, DWORD length,
                     struct baton_cause *cause);

/* Takes the result of what was started: BATON_OK and *moved, BATON_AGAIN while it is under way,
 * BATON_END, BATON_SYSTEM. */
int win32_pipe_result(struct pipe_end *end, DWORD *moved, struct baton_cause *cause);

/* Cancels what is under way, waits for its end and takes the result; BATON_END if it was cancelled
 * with nothing moved. Stops the watch: no packet follows any more. */
int win32_pipe_cancel(struct pipe_end *end, DWORD *moved, struct baton_cause *cause);

/* Cancels and closes. Accepts a zeroed or closed end. */
void win32_pipe_close(struct pipe_end *end);

/* ---- Tables (slot_table.c) ---- */

/* Room for all that the program may ever have, of which nothing moves: addresses are reserved, and
 * memory is committed as slots are first used, since Windows counts what is committed as used (the
 * commit charge), touched or not.
 * https://learn.microsoft.com/windows/win32/memory/reserving-and-committing-memory */
struct slot_table {
    struct slots slots;
    char *entries; /* by slot; one that was never used has no memory */
    size_t entry_bytes;
    size_t committed_bytes;
};

/* `count` as slots_init() takes it. BATON_OK or BATON_NO_MEMORY. */
int win32_slot_table_create(struct slot_table *table, size_t count, size_t entry_bytes);
/* Accepts a zeroed one. */
void win32_slot_table_clear(struct slot_table *table);

/* A free slot, now in use; slots_give() ends that. SLOT_NONE when there is none, or, which `cause`
 * tells then, no memory for it. What was in its entry is there again; all is 0 at first. */
uint32_t win32_slot_table_take(struct slot_table *table, struct baton_cause *cause);
/* The entry of a slot that is or was in use. */
void *win32_slot_table_at(const struct slot_table *table, uint32_t index);
/* What names this use of it in a packet, beside its index. */
uint32_t win32_slot_table_generation(const struct slot_table *table, uint32_t index);
/* The entry that a packet names; NULL if that use of it has ended. */
void *win32_slot_table_find(const struct slot_table *table, uint32_t index, uint32_t generation);
/* The first entry in use from *at on, and *at is the slot behind it; NULL behind the last. */
void *win32_slot_table_next(const struct slot_table *table, uint32_t *at);

/* ---- Objects ---- */

#define CHANNEL_FRAME_MAX_BYTES (16 + 512) /* from a handler */
/* A few lines of a log: every process that ran at once may have several of these in the tables. */
#define OUTPUT_PIECE_BYTES 512

struct break_request; /* breaker.h */

/* What ends a job shows as this exit code, STATUS_CONTROL_C_EXIT: the system's own number for
 * "ended from outside", in the range that counts as a signal, as SIGTERM and SIGKILL do on POSIX;
 * and what a program ends with that does nothing about Ctrl-Break. */
#define WIN32_ENDED_FROM_OUTSIDE 0xC000013Au

/* Owner: the platform's table. */
struct platform_process {
    struct platform *platform;
    uint64_t token;
    uint32_t index;
    uint32_t generation;
    bool exited; /* EXIT was reported */
    bool wants_writable;
    bool channel_ended; /* nothing can be read any more, also after a bad frame: there is no way
                           to find the next one */
    bool end_told;      /* BATON_END was returned */
    HANDLE handle;
    HANDLE job;
    bool leaves_children;
    bool has_channel;
    struct break_request *breaking; /* breaker.h; NULL = it was not told to end */
    bool breaks_again;              /* a process before us may not have come to telling it */
    HANDLE member;                  /* of the job, still ending after the leader; NULL = none */
    uint64_t members_end_us; /* when EXIT is reported in any case; 0 = nobody was waited for */
    uint32_t pid;
    struct watch exit_watch;
    struct platform_exit exit;
    struct pipe_end in;
    struct pipe_end out;
    size_t have_bytes; /* of the frame in `frame` */
    size_t need_bytes; /* 16, or the whole frame once its header is known */
    bool is_measured;  /* it is */
    DWORD left_bytes;  /* once exited: of what lay in the channel then, and no read has */
    uint8_t frame[CHANNEL_FRAME_MAX_BYTES];
    uint8_t sending[PLATFORM_SEND_MAX_BYTES]; /* while the write is under way */
};

/* What one process writes to its standard output and error. Lives on after the process is closed,
 * until it has been read to its end. Owner: the platform's table. */
struct output_pipe {
    struct platform_output *output;
    struct pipe_end end;
    struct output_pipe *next_ready;
    uint32_t index;
    uint32_t generation;
    struct platform_writer writer;
    bool ready; /* in the list of its output */
    bool ended;
    bool spoke; /* something was read from it */
    DWORD have_bytes;
    DWORD taken_bytes;
    char piece[OUTPUT_PIECE_BYTES];
};

struct platform_output {
    struct platform *platform;
    uint64_t token;
    uint64_t reported_wait; /* number of the platform_wait() that reported it last */
    uint32_t index;
    uint32_t generation;
    bool posted; /* a PACKET_OUTPUT is in the port */
    bool is_paused;
    struct output_pipe *first_ready;
    struct output_pipe *last_ready;
};

#define LOG_BUFFER_BYTES 65536
#define LOG_PIECE_BYTES 8192

/* The ring is written by the supervisor's thread and emptied by the writer, under `lock`. */
struct platform_log {
    struct platform *platform;
    struct platform_log *next;
    CRITICAL_SECTION lock;
    CONDITION_VARIABLE filled;
    CONDITION_VARIABLE emptied;
    HANDLE thread;
    HANDLE file; /* standard error (not owned), or `owned` */
    bool owned;
    bool closing;
    bool writing; /* a piece is between the ring and the system */
    bool is_torn; /* how far the last write has come is not known: it has failed */
    bool wants_writable;
    size_t lost_count; /* lines of writes that failed, not reported yet */
    DWORD failed_code; /* of the last write that failed and was not yet reported */
    size_t start;
    size_t count_bytes;
    char ring[LOG_BUFFER_BYTES];
    char piece[LOG_PIECE_BYTES];
};

enum source_kind { SOURCE_FREE, SOURCE_LISTENER, SOURCE_OUTPUT, SOURCE_FILE, SOURCE_CONTROL };

/* A listener, a collector, a file that is watched: they are few, and opened only when a config is
 * loaded. */
struct source {
    enum source_kind kind;
    uint32_t generation;
    void *object;
};

struct command_line; /* program.h */
struct stream_table; /* stream.h */
struct file_watcher; /* file_watch.c */

/* What another thread does (work.c). Owner: the platform; if the thread goes on until the process
 * ends, nobody. */
struct work {
    HANDLE thread, port;
    void (*work)(void *context);
    void *context;
    uint64_t token;
};

/* Who asked for the stop: the index of its packet. */
enum stop_reason { STOP_BY_CONSOLE, STOP_BY_MANAGER, STOP_HOST_GONE };

struct event_log; /* event_log.h */
struct manager;   /* manager.c */
struct breaker;   /* breaker.c */

struct platform {
    struct work *work;           /* NULL = nothing is under way */
    struct manager *manager;     /* NULL = nobody has started us who would hear of us */
    struct breaker *breaker;     /* NULL = no program was told to end */
    struct event_log *event_log; /* NULL = there is no manager; owned */
    enum stop_reason stop_reason;
    HANDLE port;
    HANDLE null_device; /* inheritable: it is in the list of every launch */
    LARGE_INTEGER clock_frequency;
    uint64_t wait_count;
    bool outputs_paused;
    bool sockets_started;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes; /* room for one launch */
    SIZE_T attributes_bytes;
    struct command_line *command_line; /* of the launch or the recipe at hand */
    struct source *sources;
    size_t source_count;
    struct slot_table processes; /* of struct platform_process */
    struct slot_table pipes;     /* of struct output_pipe */
    struct stream_table *streams;
    struct file_watcher *file_watcher; /* NULL before the first file; owned */
    struct platform_log *first_log;
};

/* ---- Between the files ---- */

/* Takes a place in the table of sources; allocates. BATON_OK or BATON_NO_MEMORY. */
int win32_source_take(struct platform *platform, enum source_kind kind, void *object,
                      uint32_t *index, uint32_t *generation);
void win32_source_release(struct platform *platform, uint32_t index);

/* Each turns a packet for its object into an event; false if there is nothing to report. */
bool win32_listener_event(struct platform_listener *listener, struct platform_event *event);
bool win32_channel_event(struct platform_process *process, struct platform_event *event);
bool win32_writable_event(struct platform_process *process, struct platform_event *event);
bool win32_exit_event(struct platform_process *process, struct platform_event *event);
bool win32_pipe_event(struct output_pipe *pipe, struct platform_event *event);
bool win32_output_event(struct platform_output *output, struct platform_event *event);
bool win32_control_event(struct platform_control *control, struct platform_event *event);
bool win32_file_watch_event(const struct platform_file_watch *file, struct platform_event *event);

/* All that are left. Blocks for a second at most. */
void win32_file_watches_close(struct platform *platform);

/* Takes a free pipe of the table for `output` and opens it; NULL in *out and BATON_SHORTAGE when
 * the table is full. */
int win32_output_pipe_open(struct platform_output *output, struct output_pipe **out, HANDLE *theirs,
                           struct baton_cause *cause);
/* Starts reading for process `pid`. BATON_OK or BATON_SHORTAGE. */
int win32_output_pipe_start(struct output_pipe *pipe, const struct platform_writer *writer,
                            struct baton_cause *cause);
void win32_output_pipe_close(struct platform *platform, struct output_pipe *pipe);
/* The first half of win32_output_pipe_open(): nothing is open yet. NULL when there is no room. */
struct output_pipe *win32_output_pipe_take(struct platform_output *output,
                                           struct baton_cause *cause);
/* Reads on where no read is under way, and reports what there is. */
void win32_output_pipe_go_on(struct output_pipe *pipe);

/* Starts the watch and the first read. BATON_OK or BATON_SHORTAGE. */
int win32_channel_start(struct platform_process *process, struct baton_cause *cause);
/* The process has exited: no more is received than lies in its channel now. */
void win32_channel_measure(struct platform_process *process);

/* Opens process `pid`, with the right to wait for it, if it is in the job of `process`. While the
 * handle is open Windows gives that id to nobody else. The caller closes *out. BATON_OK, BATON_GONE
 * or BATON_SHORTAGE.
 * https://learn.microsoft.com/windows/win32/api/jobapi/nf-jobapi-isprocessinjob */
int win32_process_open_member(const struct platform_process *process, uint32_t pid, HANDLE *out,
                              struct baton_cause *cause);

/* memory.c: of one that has ended. */
void win32_process_account(const struct platform_process *process, struct platform_exit *how);

/* Closes the handle of the member that is waited for. */
void win32_process_forget_member(struct platform_process *process);

/* A free slot, in which nothing is open; NULL when there is none. */
struct platform_process *win32_process_take(struct platform *platform, struct baton_cause *cause);
/* Gives the slot back without touching the process itself. */
void win32_process_release(struct platform_process *process);

/* Blocks for 2 s at most for each log whose writer hangs. */
void win32_logs_close(struct platform *platform);

/* The console handler posts to `port` until it is NULL. Never waits for a handler that runs. */
void win32_console_attach(HANDLE port);

/* Whoever clicks into a console where QuickEdit is on selects text, and until that ends Windows
 * holds every write to the console, ours and everybody's. win32_console_hold() switches it off for
 * the console that this process has, if any; win32_console_release() puts back what was there. A
 * supervisor that is killed leaves it switched off.
 * https://learn.microsoft.com/windows/console/setconsolemode
 */
void win32_console_hold(void);
void win32_console_release(void);

/* What Windows calls on a thread of its own for a console event (console.c). Blocks for all but
 * Ctrl-C and Ctrl-Break.
 * https://learn.microsoft.com/windows/console/handlerroutine */
BOOL WINAPI win32_console_stop(DWORD what);

/* Opens NUL for every standard handle that is missing; the handle stays open. */
void win32_console_complete_handles(void);

/* Writes UTF-8 to a console as UTF-16, to anything else as it is. Blocks. False with the cause in
 * GetLastError(). */
bool win32_console_write(HANDLE file, const char *bytes, size_t length);

/* ---- Texts, errors, addresses (text.c, errors.c, socket.c) ---- */

/* UTF-8 to UTF-16 in new memory (free()). BATON_OK, BATON_INVALID, BATON_TOO_LONG, BATON_NO_MEMORY.
 */
int win32_text_to_wide(const char *text, wchar_t **out);
/* The same to `out`, at most `count` characters with NUL. Allocates nothing. BATON_OK,
 * BATON_INVALID, BATON_TOO_LONG. */
int win32_text_to_room(const char *text, wchar_t *out, size_t count);
/* UTF-16 to UTF-8, at most `size_bytes` with NUL; a lone surrogate becomes U+FFFD. BATON_OK or
 * BATON_TOO_LONG. */
int win32_text_to_utf8(const wchar_t *text, char *out, size_t size_bytes);
/* How many of `length` bytes end with a whole UTF-8 sequence. */
size_t win32_text_whole_utf8(const char *bytes, size_t length);

/* Fills `cause` and returns the code of core/base/error.h that stands for the system's number. */
int win32_cause_of(struct baton_cause *cause, const char *call, DWORD system_code);
int win32_cause_last(struct baton_cause *cause, const char *call);

/* True for .bat and .cmd, which cmd.exe would run with rules for arguments that cannot be met. */
bool win32_path_is_batch(const wchar_t *path);

socklen_t win32_address_to_system(const struct address *address, struct sockaddr_storage *out);
bool win32_address_from_system(const struct sockaddr_storage *from, struct address *out);

/* ---- manager.c ---- */

/* Only where the host of the Windows service has started us. Behind the port and
 * win32_watches_open(). BATON_OK or what the system says. */
int win32_manager_open(struct platform *platform, struct baton_cause *cause);
/* It may ask for a stop or a reload from here on; nothing where there is none. */
int win32_manager_watch(struct platform *platform, struct baton_cause *cause);
/* What it asks for stays in its events. */
void win32_manager_watch_no_more(struct platform *platform);
void win32_manager_close(struct platform *platform);
/* For a process that is to have the same manager: lets it inherit what that takes (`lends`), or no
 * more. How many handles were put to `out`, where there is room for MANAGER_HANDLES_COUNT. */
#define MANAGER_HANDLES_COUNT 5
DWORD win32_manager_lend(const struct platform *platform, bool lends, HANDLE *out);
/* That process takes our place: the host waits for its end instead of ours. */
void win32_manager_pass_on(struct platform *platform, HANDLE successor);

/* ---- work.c ---- */

/* It has ended: false if it has not, or was told of before. */
bool win32_work_event(struct platform *platform, struct platform_event *event);

#endif
