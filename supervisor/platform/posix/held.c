/* What goes over at a restart: descriptors keep their numbers, and are not close-on-exec from the
 * moment they are held. */
#include "platform/posix/held.h"

#include "platform/posix/control.h"
#include "platform/posix/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct held_process {
    int32_t channel, end, pid, speaker, left_bytes;
    uint32_t wanted, launcher_peak_kib;
    bool is_hidden, leaves_children, ended;
    struct platform_exit exit;
};
struct held_stream {
    int32_t descriptor;
    bool is_input, is_broken;
    uint64_t written_bytes;
};
struct held_pipe {
    int32_t descriptor;
    uint32_t pid;
    uint64_t id, born_us;
    bool is_nonblocking, is_empty, has_process;
};
struct held_listener {
    int32_t descriptor;
    uint32_t kept_number;
    int32_t passed; /* its place; -1 = none */
    bool was_lent, has_file, is_for_all;
    struct file_identity file;
};
struct held_socket {
    int32_t descriptor;
    uint16_t owner;
};
struct held_log {
    int32_t descriptor; /* until another one is open: the reader of a FIFO takes its end for ours */
    bool is_torn;
};
/* Behind it: elders, and what was passed. */
struct held_platform {
    struct rlimit original_descriptors;
    uint64_t left_us; /* by the wall clock */
    bool hangup_stops, has_terminal;
    uint32_t kept_count;
    size_t elder_count, passed_count;
};

#define FITS(type) (sizeof(type) <= sizeof(struct platform_held))
_Static_assert(FITS(struct held_process) && FITS(struct held_stream) && FITS(struct held_pipe) &&
                   FITS(struct held_listener) && FITS(struct held_socket) && FITS(struct held_log),
               "words for each");

static void put_words(struct platform_held *out, const void *held, size_t length) {
    *out = (struct platform_held){0};
    memcpy(out->words, held, length);
}

void posix_keep_open(int descriptor) {
    if (descriptor >= 0) {
        fcntl(descriptor, F_SETFD, 0);
    }
}

/* ---- In the old program ---- */

void platform_hold(const struct platform *platform, struct snapshot *out) {
    const struct posix_manager *manager = &platform->manager;
    const struct held_platform held = {.original_descriptors = platform->original_descriptors,
                                       .left_us = posix_clock_us(CLOCK_REALTIME),
                                       .hangup_stops = platform->hangup_stops,
                                       .has_terminal = platform->has_terminal,
                                       .kept_count = manager->kept_count,
                                       .elder_count = platform->elders.count,
                                       .passed_count = manager->passed_count};
    snapshot_put(out, SNAPSHOT_PLATFORM, 0, &held, sizeof held);
    snapshot_add(out, platform->elders.pids, held.elder_count * sizeof(pid_t));
    snapshot_add(out, manager->passed, held.passed_count * sizeof *manager->passed);
    for (size_t i = 0; i < manager->passed_count; i++) {
        posix_keep_open(manager->passed[i].descriptor);
    }
    if (getenv("BATON_KEEPER") != NULL) {
        posix_keep_open(manager->socket);
    }
}

void platform_socket_hold(const struct platform *platform, struct platform_socket socket,
                          struct platform_held *out) {
    const int descriptor = (int)socket.value;
    const struct held_socket held = {descriptor, posix_owner_of(platform, descriptor)};
    posix_keep_open(descriptor);
    put_words(out, &held, sizeof held);
}

void platform_client_hold(const struct platform *platform,
                          const struct platform_control_client *client, struct platform_held *out) {
    const struct platform_socket socket = {client->own};
    platform_socket_hold(platform, socket, out);
}

static void hold_listener(const struct platform_listener *listener, bool is_for_all,
                          struct platform_held *out) {
    struct held_listener held = {.descriptor = listener->watch.descriptor,
                                 .kept_number = listener->kept_number,
                                 .passed = -1,
                                 .was_lent = listener->was_lent,
                                 .has_file = listener->has_file,
                                 .is_for_all = is_for_all,
                                 .file = listener->file};
    if (listener->passed != NULL) {
        held.passed = (int32_t)(listener->passed - listener->platform->manager.passed);
    }
    posix_keep_open(held.descriptor);
    put_words(out, &held, sizeof held);
}

void platform_listener_hold(const struct platform_listener *listener, struct platform_held *out) {
    hold_listener(listener, false, out);
}

void platform_control_hold(const struct platform_control *control, struct platform_held *out) {
    hold_listener(control->listener, control->is_for_all, out);
}

void platform_process_hold(const struct platform_process *process, struct platform_held *out) {
    const struct held_process held = {.channel = process->channel.descriptor,
                                      .end = process->end.descriptor,
                                      .pid = process->pid,
                                      .speaker = process->speaker,
                                      .left_bytes = process->left_bytes,
                                      .wanted =
                                          process->channel.registered ? process->channel.wanted : 0,
                                      .launcher_peak_kib = process->launcher_peak_kib,
                                      .is_hidden = process->is_hidden,
                                      .leaves_children = process->leaves_children,
                                      .ended = process->ended,
                                      .exit = process->exit};
    posix_keep_open(held.channel);
    posix_keep_open(held.end);
    put_words(out, &held, sizeof held);
}

static void give_fetched(const struct fetched *fetched, const void **bytes, size_t *length) {
    bool has_any = fetched != NULL && fetched->bytes != NULL;
    *bytes = has_any ? fetched->bytes + fetched->first : NULL;
    *length = has_any ? fetched->end - fetched->first : 0;
}

void platform_stream_hold(const struct platform_stream *stream, struct platform_held *out,
                          const void **bytes, size_t *length) {
    const struct held_stream held = {.descriptor = stream->watch.descriptor,
                                     .is_input = (stream->watch.wanted & EPOLLOUT) != 0,
                                     .is_broken = stream->is_broken,
                                     .written_bytes = stream->written_bytes};
    posix_keep_open(held.descriptor);
    put_words(out, &held, sizeof held);
    give_fetched(&stream->fetched, bytes, length);
}

bool platform_output_hold(const struct platform_output *output, uint32_t *at,
                          struct platform_held *out, const void **bytes, size_t *length) {
    const struct posix_outputs *outputs = &output->platform->outputs;
    uint32_t slot = slots_next(&outputs->slots, *at);
    while (slot != SLOT_NONE && outputs->pipes[slot].output != output) {
        slot = slots_next(&outputs->slots, slot + 1);
    }
    *at = slot + 1;
    if (slot == SLOT_NONE) {
        return false;
    }
    const struct output_pipe *pipe = &outputs->pipes[slot];
    const struct held_pipe held = {.descriptor = pipe->descriptor,
                                   .pid = pipe->pid,
                                   .id = pipe->id,
                                   .born_us = pipe->born_us,
                                   .is_nonblocking = pipe->is_nonblocking,
                                   .is_empty = pipe->is_empty,
                                   .has_process = pipe->process != NULL && !pipe->process->ended};
    posix_keep_open(held.descriptor);
    put_words(out, &held, sizeof held);
    give_fetched(pipe->reading == NULL ? NULL : &pipe->reading->fetched, bytes, length);
    return true;
}

void platform_log_hold(struct platform_log *log, struct platform_held *out) {
    const struct held_log held = {log->watch.descriptor, log->is_failing && log->is_torn};
    posix_keep_open(held.descriptor);
    put_words(out, &held, sizeof held);
}

/* ---- In the new program ---- */

/* The platform's own block of the snapshot; false if there is none. */
static bool find_own(struct snapshot_block *out) {
    const struct platform_restarted *left = platform_restarted();
    size_t at = 0;
    while (left != NULL && snapshot_next(left->snapshot, left->snapshot_bytes, &at, out)) {
        if (out->kind == SNAPSHOT_PLATFORM) {
            return true;
        }
    }
    return false;
}

int posix_held_take(struct platform *platform, bool *is_restarted) {
    struct snapshot_block block;
    struct held_platform held;
    *is_restarted = find_own(&block);
    if (!*is_restarted) {
        return BATON_OK;
    }
    posix_capabilities_end_ambient(); /* before there is a thread, which would have them */
    struct pid_list *elders = &platform->elders;
    struct posix_manager *manager = &platform->manager;
    if (!snapshot_take(&block, &held, sizeof held)) {
        return BATON_INVALID;
    }
    elders->pids = calloc(held.elder_count + 1, sizeof *elders->pids);
    manager->passed = calloc(held.passed_count + 1, sizeof *manager->passed);
    if (elders->pids == NULL || manager->passed == NULL) {
        return BATON_NO_MEMORY;
    }
    if (!snapshot_take(&block, elders->pids, held.elder_count * sizeof *elders->pids) ||
        !snapshot_take(&block, manager->passed, held.passed_count * sizeof *manager->passed)) {
        return BATON_INVALID;
    }
    elders->count = held.elder_count;
    elders->room_count = held.elder_count + 1;
    manager->passed_count = held.passed_count;
    manager->kept_count = held.kept_count;
    for (size_t i = 0; i < held.passed_count; i++) {
        manager->passed[i].users_count = 0; /* who adopts one counts anew */
    }
    platform->original_descriptors = held.original_descriptors;
    platform->left_us = held.left_us;
    platform->hangup_stops = held.hangup_stops;
    platform->has_terminal = held.has_terminal;
    return BATON_OK;
}

static void take_words(const struct platform_held *words, void *held, size_t length) {
    memcpy(held, words->words, length);
}

static bool is_open(int descriptor) {
    return descriptor >= 0 && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

int platform_socket_adopt(struct platform *platform, const struct platform_held *words,
                          struct platform_socket *out) {
    struct held_socket held;
    take_words(words, &held, sizeof held);
    *out = PLATFORM_SOCKET_NONE;
    if (!is_open(held.descriptor)) {
        return BATON_INVALID;
    }
    posix_own(platform, held.descriptor, held.owner);
    out->value = (uintptr_t)held.descriptor;
    return BATON_OK;
}

int platform_listener_adopt(struct platform *platform, const struct platform_held *words,
                            const struct platform_listener_spec *spec, uint64_t token,
                            struct platform_listener **out, struct baton_cause *cause) {
    struct held_listener held;
    struct posix_manager *manager = &platform->manager;
    take_words(words, &held, sizeof held);
    *cause = (struct baton_cause){0};
    *out = NULL;
    if (!is_open(held.descriptor) ||
        (held.passed >= 0 && (size_t)held.passed >= manager->passed_count)) {
        return BATON_INVALID;
    }
    struct platform_listener *listener = *out = posix_listener_create(platform, spec, token);
    if (listener == NULL) {
        return BATON_NO_MEMORY;
    }
    listener->watch.descriptor = held.descriptor;
    listener->kept_number = held.kept_number;
    listener->was_lent = held.was_lent;
    listener->file = held.file;
    listener->has_file = held.has_file;
    if (held.passed >= 0) {
        listener->passed = &manager->passed[held.passed];
        listener->passed->users_count++;
    }
    if (spec->protocol == PLATFORM_UNIX && !posix_local_plan(listener, spec)) {
        return BATON_INVALID;
    }
    posix_own(platform, held.descriptor, 0);
    return posix_own_address(held.descriptor, &listener->bound)
               ? posix_watch_begin(platform, &listener->watch, EPOLLIN, cause)
               : posix_failed(cause, "getsockname");
}

int platform_control_adopt(struct platform *platform, const struct platform_held *words,
                           const struct platform_control_spec *spec, uint64_t token,
                           struct platform_control **out, struct baton_cause *cause) {
    struct held_listener held;
    take_words(words, &held, sizeof held);
    struct platform_listener_spec listener = posix_control_describe(spec);
    struct platform_control *control = *out = calloc(1, sizeof *control);
    if (control == NULL) {
        return BATON_NO_MEMORY;
    }
    control->platform = platform;
    control->is_for_all = held.is_for_all;
    return platform_listener_adopt(platform, words, &listener, token, &control->listener, cause);
}

int platform_client_adopt(struct platform *platform, const struct platform_held *words,
                          uint64_t token, struct platform_control_client *out,
                          struct baton_cause *cause) {
    struct platform_socket socket;
    int result = platform_socket_adopt(platform, words, &socket);
    if (result == BATON_OK) {
        out->own = socket.value;
        result = platform_stream_open(platform, socket, token, &out->reading, cause);
        out->writing = out->reading;
    }
    return result;
}

int platform_process_adopt(struct platform *platform, const struct platform_held *words,
                           const struct platform_program *program, uint64_t token,
                           struct platform_process **out, struct baton_cause *cause) {
    struct held_process held;
    take_words(words, &held, sizeof held);
    *cause = (struct baton_cause){0};
    struct platform_process *process = *out = posix_process_take(platform);
    if (process == NULL) {
        return BATON_SHORTAGE;
    }
    process->program = program;
    process->pid = held.pid;
    process->speaker = held.speaker;
    process->left_bytes = held.left_bytes;
    process->launcher_peak_kib = held.launcher_peak_kib;
    process->is_hidden = held.is_hidden;
    process->leaves_children = held.leaves_children;
    process->ended = held.ended;
    process->exit = held.exit;
    process->channel.token = token;
    int result = BATON_OK;
    if (held.channel >= 0) {
        process->channel.descriptor = held.channel;
        result = !is_open(held.channel) ? BATON_INVALID
                 : held.wanted != 0
                     ? posix_watch_begin(platform, &process->channel, held.wanted, cause)
                     : BATON_OK;
    }
    if (held.ended || result != BATON_OK) {
        return result;
    }
    posix_process_add(platform, process);
    if (held.end >= 0 && is_open(held.end)) {
        process->end.descriptor = held.end;
        if (posix_watch_set(platform, &process->end, EPOLLIN) != 0) {
            posix_close_descriptor(&process->end.descriptor); /* SIGCHLD will do */
        }
    }
    if (process->end.descriptor < 0) {
        platform->has_exit_watches = false;
    }
    return BATON_OK;
}

int platform_stream_adopt(struct platform *platform, const struct platform_held *words,
                          const struct platform_program *program, uint64_t token, const void *bytes,
                          size_t length, struct platform_stream **out, struct baton_cause *cause) {
    struct held_stream held;
    take_words(words, &held, sizeof held);
    const struct platform_launch launch = {
        .program = program, .input_token = token, .output_token = token};
    *out = NULL;
    *cause = (struct baton_cause){0};
    if (held.descriptor < 0) { /* it was finished */
        return posix_stream_adopt_finished(platform, token, out);
    }
    if (!is_open(held.descriptor)) {
        return BATON_INVALID;
    }
    int result =
        posix_stream_open_pipe(platform, &launch, held.is_input, held.descriptor, out, cause);
    if (result != BATON_OK) {
        return result;
    }
    (*out)->is_broken = held.is_broken;
    (*out)->written_bytes = (size_t)held.written_bytes;
    return length == 0 || posix_fetched_put(&(*out)->fetched, bytes, length) ? BATON_OK
                                                                             : BATON_NO_MEMORY;
}

int platform_output_adopt(struct platform_output *output, const struct platform_held *words,
                          const void *bytes, size_t length, struct baton_cause *cause) {
    struct held_pipe held;
    take_words(words, &held, sizeof held);
    *cause = (struct baton_cause){0};
    if (!is_open(held.descriptor)) {
        return BATON_INVALID;
    }
    struct output_pipe pipe = {.output = output,
                               .descriptor = held.descriptor,
                               .pid = held.pid,
                               .id = held.id,
                               .born_us = held.born_us,
                               .is_nonblocking = held.is_nonblocking,
                               .is_empty = held.is_empty};
    if (held.has_process) {
        pipe.process = posix_process_find(output->platform, (pid_t)held.pid);
    }
    return posix_pipe_adopt(&pipe, bytes, length);
}

void platform_log_adopt(struct platform_log *log, const struct platform_held *words, bool is_same) {
    struct held_log held;
    take_words(words, &held, sizeof held);
    if (held.is_torn && is_same && !log->is_new) {
        log->is_failing = log->is_torn = true;
    }
    posix_keep_open(held.descriptor); /* the old program may be back, which has it by that number */
}
