/*
 * What goes over at a restart: handles, sockets and bytes as restart.h gives them, and beside them
 * what the old process knows of each. An adopted thing is watched, but nothing is begun with it
 * before win32_go_on().
 */
#include "breaker.h"
#include "listener.h"
#include "restart.h"
#include "stream.h"

#include <string.h>

struct held_listener {
    uint64_t socket, client; /* one who was accepted, and not given out */
    uint64_t file_number;
    uint32_t file_volume;
    bool has_file, by_accept, untold;
    long broken_code;
};

struct held_process {
    uint64_t handle, job, in, out;
    uint64_t frame; /* have_bytes */
    uint32_t pid, have_bytes, need_bytes, left_bytes;
    struct platform_exit exit;
    bool exited, channel_ended, end_told, leaves_children, is_measured, has_channel, is_told;
};

struct held_stream {
    uint64_t handle, elsewhere;
    uint8_t kind; /* enum stream_kind */
    bool finished;
};

struct held_pipe {
    uint64_t handle;
    struct platform_writer writer;
    bool ended, spoke;
};

/* Of a control client: its two streams, and what one of them has read. */
struct held_client {
    struct held_stream reading, writing;
    uint64_t bytes;
    uint32_t bytes_count;
};

#define FITS(type) (sizeof(type) <= sizeof(struct platform_held))
_Static_assert(FITS(struct held_listener) && FITS(struct held_process) &&
                   FITS(struct held_stream) && FITS(struct held_pipe) && FITS(struct held_client),
               "words for each");

static void put_words(struct platform_held *out, const void *held, size_t length) {
    memset(out, 0, sizeof *out);
    memcpy(out->words, held, length);
}

static void take_words(const struct platform_held *words, void *held, size_t length) {
    memcpy(held, words->words, length);
}

/* ---- In the old process ---- */

/* Nothing that the next one does not find by itself, or by restart.h. */
void platform_hold(const struct platform *platform, struct snapshot *out) {
    (void)platform;
    (void)out;
}

void platform_socket_hold(const struct platform *platform, struct platform_socket socket,
                          struct platform_held *out) {
    uint64_t given = win32_give_socket((SOCKET)socket.value);
    (void)platform;
    put_words(out, &given, sizeof given);
}

void platform_listener_hold(const struct platform_listener *listener, struct platform_held *out) {
    const struct held_listener held = {.socket = win32_give_socket(listener->socket),
                                       .client = win32_give_socket(listener->accepted),
                                       .file_number = listener->file.number,
                                       .file_volume = listener->file.volume,
                                       .has_file = listener->file.path != NULL,
                                       .by_accept = listener->by_accept,
                                       .untold = listener->untold,
                                       .broken_code = listener->broken.system_code};
    put_words(out, &held, sizeof held);
}

void platform_control_hold(const struct platform_control *control, struct platform_held *out) {
    uint64_t given = win32_give_handle(win32_control_instance(control));
    put_words(out, &given, sizeof given);
}

void platform_process_hold(const struct platform_process *process, struct platform_held *out) {
    const struct held_process held = {
        .handle = win32_give_handle(process->handle),
        .job = win32_give_handle(process->job),
        .in = win32_give_handle(process->in.handle),
        .out = win32_give_handle(process->out.handle),
        .frame = win32_give_bytes(process->frame, process->have_bytes),
        .pid = process->pid,
        .have_bytes = (uint32_t)process->have_bytes,
        .need_bytes = (uint32_t)process->need_bytes,
        .left_bytes = process->left_bytes,
        .is_measured = process->is_measured,
        .has_channel = process->has_channel,
        .is_told = process->breaking != NULL && process->breaking->result == BREAK_PENDING,
        .exit = process->exit,
        .exited = process->exited,
        .channel_ended = process->channel_ended,
        .end_told = process->end_told,
        .leaves_children = process->leaves_children};
    put_words(out, &held, sizeof held);
}

static struct held_stream hold_stream(const struct platform_stream *stream) {
    bool is_ours = stream->elsewhere != NULL && stream->end.started;
    return (struct held_stream){.handle = is_ours ? win32_give_copy(stream->end.handle)
                                                  : win32_give_handle(stream->end.handle),
                                .elsewhere = win32_give_copy(stream->elsewhere),
                                .kind = (uint8_t)stream->kind,
                                .finished = stream->finished};
}

/* What it has read, and nobody has got. */
static void give_read(const struct platform_stream *stream, const void **bytes, size_t *length) {
    *bytes = win32_stream_buffer(stream) + stream->taken_bytes;
    *length = stream->have_bytes - stream->taken_bytes;
}

void platform_stream_hold(const struct platform_stream *stream, struct platform_held *out,
                          const void **bytes, size_t *length) {
    const struct held_stream held = hold_stream(stream);
    give_read(stream, bytes, length);
    put_words(out, &held, sizeof held);
}

bool platform_output_hold(const struct platform_output *output, uint32_t *at,
                          struct platform_held *out, const void **bytes, size_t *length) {
    const struct output_pipe *pipe;
    do {
        pipe = win32_slot_table_next(&output->platform->pipes, at);
    } while (pipe != NULL && pipe->output != output);
    if (pipe == NULL) {
        return false;
    }
    const struct held_pipe held = {.handle = win32_give_handle(pipe->end.handle),
                                   .writer = pipe->writer,
                                   .ended = pipe->ended,
                                   .spoke = pipe->spoke};
    put_words(out, &held, sizeof held);
    *bytes = pipe->piece + pipe->taken_bytes;
    *length = pipe->have_bytes - pipe->taken_bytes;
    return true;
}

void platform_client_hold(const struct platform *platform,
                          const struct platform_control_client *client, struct platform_held *out) {
    struct held_client held = {.reading = hold_stream(client->reading),
                               .writing = hold_stream(client->writing)};
    const void *bytes;
    size_t length;
    (void)platform;
    give_read(client->reading, &bytes, &length);
    held.bytes = win32_give_bytes(bytes, length);
    held.bytes_count = (uint32_t)length;
    put_words(out, &held, sizeof held);
}

/* ---- In the new one ---- */

int platform_socket_adopt(struct platform *platform, const struct platform_held *words,
                          struct platform_socket *out) {
    uint64_t given;
    (void)platform;
    take_words(words, &given, sizeof given);
    out->value = (uintptr_t)win32_take_socket(given);
    return platform_socket_is_open(*out) ? BATON_OK : BATON_INVALID;
}

/* One without a socket binds a new one when it is to accept. */
static int adopt_socket(struct platform_listener *listener, const struct held_listener *held,
                        struct baton_cause *cause) {
    bool is_unix = listener->protocol == PLATFORM_UNIX;
    listener->by_accept = held->by_accept;
    listener->untold = held->untold;
    listener->broken =
        (struct baton_cause){"AcceptEx (accept() is used from now on)", held->broken_code};
    listener->accepted = win32_take_socket(held->client);
    listener->has_client = listener->accepted != INVALID_SOCKET && !held->by_accept;
    if (held->socket == 0 && held->by_accept) {
        return BATON_OK;
    }
    listener->socket = win32_take_socket(held->socket);
    if (listener->socket == INVALID_SOCKET ||
        (held->client != 0 &&
         !platform_socket_is_open((struct platform_socket){listener->accepted}))) {
        return win32_listener_failed(cause, "WSASocketW");
    }
    listener->address = (struct address){.family = ADDRESS_UNIX};
    if (!is_unix && !win32_listener_name_of(listener->socket, getsockname, &listener->address)) {
        return win32_listener_failed(cause, "getsockname");
    }
    listener->spec.address = listener->address;
    return BATON_OK;
}

int platform_listener_adopt(struct platform *platform, const struct platform_held *words,
                            const struct platform_listener_spec *spec, uint64_t token,
                            struct platform_listener **out, struct baton_cause *cause) {
    struct held_listener held;
    take_words(words, &held, sizeof held);
    int code = win32_listener_make(platform, spec, token, out, cause);
    struct platform_listener *listener = *out;
    if (code != BATON_OK) {
        return code;
    }
    listener->paused = true;
    code = adopt_socket(listener, &held, cause);
    if (code == BATON_OK && held.has_file) {
        listener->file = (struct local_file){NULL, held.file_volume, held.file_number};
        code = win32_text_to_wide(spec->path, &listener->file.path);
    }
    return code == BATON_OK && !listener->is_handed_over
               ? win32_listener_prepare_accepting(listener, cause)
               : code;
}

int platform_control_adopt(struct platform *platform, const struct platform_held *words,
                           const struct platform_control_spec *spec, uint64_t token,
                           struct platform_control **out, struct baton_cause *cause) {
    uint64_t given;
    take_words(words, &given, sizeof given);
    HANDLE instance = win32_take_handle(given);
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    return instance == NULL ? BATON_INVALID
                            : win32_control_make(platform, spec->path, instance, token, out, cause);
}

/* An end that was closed is given as 0. */
static int adopt_end(struct pipe_end *end, uint64_t given, struct baton_cause *cause) {
    end->handle = win32_take_handle(given);
    if (end->handle == NULL) {
        return given == 0 ? BATON_OK : BATON_INVALID;
    }
    end->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    end->operation = (OVERLAPPED){.hEvent = end->event};
    end->started = false;
    return end->event == NULL ? win32_cause_last(cause, "CreateEventW") : BATON_OK;
}

static int adopt_channel(struct platform_process *process, const struct held_process *held,
                         struct baton_cause *cause) {
    const void *frame = win32_take_bytes(held->frame, held->have_bytes);
    if (held->have_bytes > sizeof process->frame || held->need_bytes > sizeof process->frame ||
        (frame == NULL && held->have_bytes > 0)) {
        return BATON_INVALID;
    }
    if (frame != NULL) {
        memcpy(process->frame, frame, held->have_bytes);
    }
    process->have_bytes = held->have_bytes;
    process->need_bytes = held->need_bytes;
    process->is_measured = held->is_measured;
    process->in.watch = (struct watch){process->platform->port, NULL, PACKET_CHANNEL,
                                       process->index, process->generation};
    process->out.watch = (struct watch){process->platform->port, NULL, PACKET_WRITABLE,
                                        process->index, process->generation};
    int code = adopt_end(&process->in, held->in, cause);
    if (code == BATON_OK) {
        code = adopt_end(&process->out, held->out, cause);
    }
    return code == BATON_OK && held->in != 0 && !held->exited
               ? win32_watch_start(&process->in.watch, process->in.event, cause)
               : code;
}

int platform_process_adopt(struct platform *platform, const struct platform_held *words,
                           const struct platform_program *program, uint64_t token,
                           struct platform_process **out, struct baton_cause *cause) {
    struct held_process held;
    take_words(words, &held, sizeof held);
    *cause = (struct baton_cause){NULL, 0};
    (void)program;
    struct platform_process *process = *out = win32_process_take(platform, cause);
    if (process == NULL) {
        return BATON_SHORTAGE;
    }
    process->token = token;
    process->handle = win32_take_handle(held.handle);
    process->job = win32_take_handle(held.job);
    process->pid = held.pid;
    process->left_bytes = held.left_bytes;
    process->exit = held.exit;
    process->exited = held.exited;
    process->channel_ended = held.channel_ended;
    process->end_told = held.end_told;
    process->leaves_children = held.leaves_children;
    process->has_channel = held.has_channel;
    process->breaks_again = held.is_told;
    int code = process->handle == NULL || process->job == NULL
                   ? BATON_INVALID
                   : adopt_channel(process, &held, cause);
    return code == BATON_OK && !held.exited
               ? win32_watch_end(&process->exit_watch, process->handle, INFINITE, cause)
               : code;
}

static int adopt_stream(struct platform *platform, const struct held_stream *held, uint64_t token,
                        const void *bytes, size_t length, struct platform_stream **out,
                        struct baton_cause *cause) {
    *out = NULL;
    if (held->kind == STREAM_SOCKET || held->kind > STREAM_TO_PROGRAM ||
        length > STREAM_BUFFER_BYTES || (bytes == NULL && length > 0)) {
        return BATON_INVALID;
    }
    struct platform_stream *stream = *out =
        win32_stream_take(platform, (enum stream_kind)held->kind, token, cause);
    if (stream == NULL) {
        return BATON_SHORTAGE;
    }
    stream->finished = held->finished;
    stream->have_bytes = length;
    if (length > 0) {
        memcpy(win32_stream_buffer(stream), bytes, length);
    }
    int code = adopt_end(&stream->end, held->handle, cause);
    stream->elsewhere = win32_take_handle(held->elsewhere);
    return code == BATON_OK ? win32_stream_watch(stream, cause) : code;
}

int platform_stream_adopt(struct platform *platform, const struct platform_held *words,
                          const struct platform_program *program, uint64_t token, const void *bytes,
                          size_t length, struct platform_stream **out, struct baton_cause *cause) {
    struct held_stream held;
    take_words(words, &held, sizeof held);
    *cause = (struct baton_cause){NULL, 0};
    (void)program;
    return adopt_stream(platform, &held, token, bytes, length, out, cause);
}

int platform_output_adopt(struct platform_output *output, const struct platform_held *words,
                          const void *bytes, size_t length, struct baton_cause *cause) {
    struct held_pipe held;
    take_words(words, &held, sizeof held);
    *cause = (struct baton_cause){NULL, 0};
    struct output_pipe *pipe = win32_output_pipe_take(output, cause);
    if (pipe == NULL) {
        return BATON_SHORTAGE;
    }
    if (length > sizeof pipe->piece || held.handle == 0) {
        return BATON_INVALID;
    }
    memcpy(pipe->piece, bytes, length);
    pipe->have_bytes = (DWORD)length;
    pipe->writer = held.writer;
    pipe->ended = held.ended;
    pipe->spoke = held.spoke;
    int code = adopt_end(&pipe->end, held.handle, cause);
    return code == BATON_OK ? win32_watch_start(&pipe->end.watch, pipe->end.event, cause) : code;
}

int platform_client_adopt(struct platform *platform, const struct platform_held *words,
                          uint64_t token, struct platform_control_client *out,
                          struct baton_cause *cause) {
    struct held_client held;
    take_words(words, &held, sizeof held);
    *out = (struct platform_control_client){0};
    *cause = (struct baton_cause){NULL, 0};
    int code =
        adopt_stream(platform, &held.reading, token, win32_take_bytes(held.bytes, held.bytes_count),
                     held.bytes_count, &out->reading, cause);
    return code == BATON_OK
               ? adopt_stream(platform, &held.writing, token, NULL, 0, &out->writing, cause)
               : code;
}

void platform_log_hold(struct platform_log *log, struct platform_held *out) {
    EnterCriticalSection(&log->lock);
    *out = (struct platform_held){{log->is_torn}};
    LeaveCriticalSection(&log->lock);
}

void platform_log_adopt(struct platform_log *log, const struct platform_held *held, bool is_same) {
    EnterCriticalSection(&log->lock);
    log->is_torn = log->is_torn || (is_same && held->words[0] != 0);
    LeaveCriticalSection(&log->lock);
}
