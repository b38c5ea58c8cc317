/* What the files of fake/ share. The world is one static object, as there is one at a time. */
#ifndef BATON_PLATFORM_FAKE_INTERNAL_H
#define BATON_PLATFORM_FAKE_INTERNAL_H

#include "platform/fake/fake.h"

#define FAKE_FRAME_BYTES 2048

/* A growing array of bytes, always with a NUL behind them. */
struct fake_text {
    char *bytes;
    size_t length, capacity;
};

/* Bytes on their way in one direction. All that ever went is kept. */
struct fake_flow {
    struct fake_text bytes;
    size_t taken; /* of them the reader has */
    size_t room;  /* that the writer has left; SIZE_MAX = no limit */
    bool ended;   /* the writer has finished */
    bool lost;    /* it cannot be read from, which whoever writes does not know */
    bool broken;  /* nobody reads any more, or the connection was reset */
};

/* A frame on its way. Owner: the queue that it is in. */
struct fake_message {
    struct fake_message *next;
    int fault; /* BATON_OK, or what receiving it says */
    bool lasting;
    uint32_t sender_pid;
    uint32_t client, listener;
    size_t length;
    uint8_t bytes[FAKE_FRAME_BYTES];
};

struct fake_queue {
    struct fake_message *first, *last;
};

struct platform {
    bool is_open;
};

struct platform_listener {
    const struct platform_process *last_holder; /* who was given it last; NULL = nobody yet */
    struct fake_listener face;
    struct address address; /* bound */
    uint64_t token;
    bool is_spoiled; /* by a handler, for good */
    bool is_lost;    /* and that is to be told */
};

/* A client and its connection. */
struct fake_peer {
    struct fake_client face;
    struct fake_flow sent, received;
    struct address local; /* once it is accepted */
    bool is_watched;      /* a stream of the supervisor's is open on it */
};

struct platform_stream {
    struct fake_stream face;
    struct fake_flow *in, *out; /* what it reads, what it writes; NULL = it cannot */
    bool read_wanted, write_wanted;
    bool is_finished;
    uint32_t vain_count; /* calls that said AGAIN since the last event, or change of the world */
    uint64_t vain_change;
};

struct platform_program {
    struct platform_program *next;
    bool is_open;
    bool has_channel;
    uint32_t listener_count;
    const char *listener_names; /* owned; NULL */
    size_t launch_bytes;
    char **argv, **environment, **variables; /* owned; end with NULL */
};

/* A piece that one process wrote. Owner: its output. */
struct fake_piece {
    struct fake_piece *next;
    struct platform_writer writer;
    bool is_end;
    size_t length, taken;
    char bytes[];
};

struct platform_output {
    struct platform_output *next;
    uint64_t token;
    bool is_open, is_paused;
    struct fake_piece *first, *last;
};

struct platform_file_watch {
    struct platform_file_watch *next;
    const char *path; /* owned */
    uint64_t token;
    bool is_due;
};

struct platform_process {
    bool is_to_go;  /* it was sent DRAIN */
    bool has_acked; /* anything */
    struct fake_process face;
    struct platform_output *output_collector;
    uint64_t output_id;
    struct fake_queue to_supervisor, to_handler;
    struct fake_message *read; /* the frame that the handler took last */
    struct platform_exit exit;
    uint32_t speaker_pid;
    bool exit_told, end_told;
    bool is_hidden;
    bool is_deaf;
    bool leaves_channel; /* a descendant keeps the handler's end */
    bool is_lost;        /* a lasting fault was sent: nothing behind it is ever read */
    bool is_broken;      /* its stream has lost step, and that was told */
    bool is_full, writable_wanted, writable_due;
    uint32_t *copies; /* clients whose sockets it has */
    uint32_t copy_capacity;
    uint32_t *listeners; /* that it has */
    uint32_t listener_capacity;
    uint32_t *handed; /* listeners that it was launched with */
    uint32_t handed_count;
    char **argv, **environment;     /* owned; end with NULL */
    struct fake_flow input, output; /* its pipes */
    bool leaves_pipes;              /* a descendant keeps its ends */
    uint32_t resident_kib;          /* 0 = it cannot be told */
    uint64_t cpu_us;                /* what its end will tell */
    uint32_t memory_peak_kib;
    bool is_measured, measured_due; /* where that takes its time */
    bool is_launching;              /* so does its launch */
    int launch_code;                /* what it will say */
    struct baton_cause launch_cause;
    struct platform_launched launched;
    struct platform_socket taken; /* that the launch has */
    struct platform_process *next_launching;
};

struct platform_log {
    struct platform_log *next;
    char *path; /* owned; NULL = the supervisor's */
    struct fake_text text;
    struct platform_log_loss loss;
    size_t room;
    uint32_t opened_count, refused_count;
    bool is_open, is_short, is_full;
};

struct fake_world {
    struct fake_director director;
    struct platform platform;
    struct platform_listener **listeners;
    uint32_t listener_count, listener_capacity;
    struct platform_program *programs;
    struct platform_output *outputs;
    struct platform_file_watch *file_watches;
    struct platform_process **processes;
    uint32_t process_count, process_capacity;
    struct fake_peer **clients;
    uint32_t client_count, client_capacity;
    struct platform_stream **streams;
    uint32_t stream_count, stream_capacity;
    uint64_t accepted_count;
    struct platform_event *injected;
    uint32_t injected_count, injected_capacity;
    struct {
        int code;
        uint32_t left_count, made_count;
    } calls[FAKE_CALL_COUNT];
    const char *misuse;
    struct {
        void (*work)(void *context);
        void *context;
        uint64_t token;
        bool is_held;
    } work;
    const char *skipped_default;
    struct fake_become become;
    uint64_t now_us, launch_us, wait_count, round_count;
    uint64_t change_count; /* times that the director was asked for changes */
    uint64_t shuffle, random;
    uint32_t processors_count;
    size_t chunk_bytes;
    uint32_t local_uid, local_gid; /* of clients of local sockets */
    struct fake_text printed, warnings, manager;
    struct platform_log log; /* the supervisor's; those of services behind it */
    uint64_t watchdog_us;
    struct {
        struct fake_text text;
        size_t lost_count;
        bool is_there;
    } event_log;
    size_t descriptors_left_count; /* below its limit, if it has one */
    bool stop_due, is_windows, offers_late, hides_pids, has_descriptor_limit;
    bool measures_late;
    uint32_t launchers_count; /* launches are late, and so many at a time */
    uint32_t to_lose_count;   /* of the launches that come */
    bool launchers_due, holds_launches;
    struct platform_process *launching; /* the last one first */
    bool log_due, has_journal, outputs_paused, pipes_are_busy;
    jmp_buf *restart_point; /* not owned; NULL = there can be no restart */
    uint32_t restarts_count;
};

extern struct fake_world fake_world;

/* Keeps the first misuse. */
void fake_wrong(const char *what);

/* Counts the call; BATON_OK, or the code that it has to fail with, with a cause. */
int fake_try(enum fake_call call, struct baton_cause *cause);

/* Makes room for one more of `size_bytes` each. Returns the array, or ends the program. */
void *fake_grow(void *array, uint32_t count, uint32_t *capacity, size_t size_bytes);
void *fake_allocate(size_t size_bytes);

/* control.c: a new supervisor has it. */
void fake_control_adopt(struct platform_control *control, struct platform *platform,
                        uint64_t token);

/* log.c */
void fake_logs_clear(void);
void fake_text_append(struct fake_text *text, const char *bytes, size_t length);

/* A number drawn from *state, which is never 0. */
uint64_t fake_draw(uint64_t *state);

struct fake_message *fake_message_make(const void *bytes, size_t length);
/* What goes to the process with the frame. */
void fake_message_attach(struct platform_process *process, struct fake_message *message,
                         struct platform_socket socket);
void fake_queue_put(struct fake_queue *queue, struct fake_message *message);
struct fake_message *fake_queue_take(struct fake_queue *queue);
void fake_queue_clear(struct fake_queue *queue);

/* Copies a list of texts that ends with NULL; NULL is an empty one. */
/* A copy, to be freed; NULL of NULL. */
const char *fake_text_copy(const char *text);
char **fake_texts_copy(const char *const *texts);
void fake_texts_free(char **texts);
/* Bytes of the texts with their NULs; 0 for NULL. */
size_t fake_texts_bytes(const char *const *texts);

/* Writes as much as there is room for, and returns that; reads as much as there is. */
size_t fake_flow_put(struct fake_flow *flow, const void *bytes, size_t length);
size_t fake_flow_take(struct fake_flow *flow, void *buffer, size_t capacity);
size_t fake_flow_unread(const struct fake_flow *flow);

/* A socket is its client's number + 1, or FAKE_LISTENER_SOCKET + a listener's number. */
#define FAKE_LISTENER_SOCKET 0x40000000u
/* NULL, and a misuse, when it is not one that the supervisor may use now. */
/* Its end is never told. It may be gone then. */
void fake_launch_leave(struct platform_process *process);
struct fake_peer *fake_peer_of(struct platform_socket socket);
struct platform_listener *fake_listener_of(struct platform_socket socket);

/* Who has waited longest at the listener; NULL if nobody does. */
struct fake_peer *fake_waiting(const struct platform_listener *listener);
/* The client's number. */
uint32_t fake_number_of(const struct fake_peer *peer);
/* The last copy of its socket may have been closed. */
void fake_peer_released(struct fake_peer *peer);

/* The process gets (or no longer has) a copy of the client's socket. */
void fake_copy_add(struct platform_process *process, uint32_t client);
bool fake_copy_remove(struct platform_process *process, uint32_t client);
/* The process gets a listener, which has to be fit for that. */
void fake_listener_give(struct platform_process *process, struct platform_listener *listener);

/* Opens a stream. Owner: the world; the caller of platform.h closes it. */
struct platform_stream *fake_stream_make(const struct fake_stream *face, struct fake_flow *in,
                                         struct fake_flow *out);
uint32_t fake_open_stream_count(void);
/* True if the stream has an event to report; then it is told. */
bool fake_stream_report(struct platform_stream *stream);

/* Ends the process without a word to the supervisor but the EXIT event. */
void fake_process_die(struct platform_process *process, struct platform_exit how);

#endif
