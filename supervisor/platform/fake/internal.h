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

/* A frame on its way. Owner: the queue that it is in. */
struct fake_message {
    struct fake_message *next;
    int fault; /* BATON_OK, or what receiving it says */
    bool lasting;
    uint32_t sender_pid;
    uint32_t client;
    size_t length;
    uint8_t bytes[FAKE_FRAME_BYTES];
};

struct fake_queue {
    struct fake_message *first, *last;
};

struct platform {
    uint32_t process_limit_count;
    bool is_open;
};

struct platform_listener {
    struct platform_listener *next;
    struct address address;
    uint64_t token;
    bool is_open, is_paused;
};

struct platform_program {
    struct platform_program *next;
    bool is_open;
};

/* A piece that one process wrote. Owner: its output. */
struct fake_piece {
    struct fake_piece *next;
    uint32_t pid;
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

struct platform_process {
    struct fake_process face;
    struct platform_output *output;
    struct fake_queue to_supervisor, to_handler;
    struct fake_message *read; /* the frame that the handler took last */
    struct platform_exit exit;
    uint32_t speaker_pid;
    bool exit_told, end_told;
    bool leaves_channel; /* a descendant keeps the handler's end */
    bool is_lost;        /* a lasting fault was sent: nothing behind it is ever read */
    bool is_broken;      /* its stream has lost step, and that was told */
    bool is_full, writable_wanted, writable_due;
    uint32_t *copies; /* clients whose sockets it has */
    uint32_t copy_capacity;
};

struct fake_world {
    struct fake_director director;
    struct platform platform;
    struct platform_listener *listeners;
    struct platform_program *programs;
    struct platform_output *outputs;
    struct platform_process **processes;
    uint32_t process_count, process_capacity;
    struct fake_client *clients;
    uint32_t client_count, client_capacity;
    uint64_t accepted_count;
    struct platform_event *injected;
    uint32_t injected_count, injected_capacity;
    struct {
        int code;
        uint32_t left_count, made_count;
    } calls[FAKE_CALL_COUNT];
    const char *misuse;
    uint64_t now_us, wait_count, round_count;
    uint64_t shuffle, random;
    bool stop_due, exports_info;
    struct fake_text log, printed;
    size_t log_room, log_forced_bytes;
    bool log_short, log_due;
};

extern struct fake_world fake_world;

/* Keeps the first misuse. */
void fake_wrong(const char *what);

/* Counts the call; BATON_OK, or the code that it has to fail with, with a cause. */
int fake_try(enum fake_call call, struct baton_cause *cause);

/* Makes room for one more of `size_bytes` each. Returns the array, or ends the program. */
void *fake_grow(void *array, uint32_t count, uint32_t *capacity, size_t size_bytes);
void *fake_allocate(size_t size_bytes);
void fake_text_append(struct fake_text *text, const char *bytes, size_t length);

/* A number drawn from *state, which is never 0. */
uint64_t fake_draw(uint64_t *state);

void fake_queue_put(struct fake_queue *queue, struct fake_message *message);
struct fake_message *fake_queue_take(struct fake_queue *queue);
void fake_queue_clear(struct fake_queue *queue);

/* The process has (or no longer has) a copy of the client's socket. */
void fake_copy_add(struct platform_process *process, uint32_t client);
bool fake_copy_remove(struct platform_process *process, uint32_t client);

/* Ends the process without a word to the supervisor but the EXIT event. */
void fake_process_die(struct platform_process *process, struct platform_exit how);

#endif
