/*
 * Launching a process: its pipes, its channel, and what becomes its standard streams.
 */
#include "platform/posix/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Pipes with our ends as streams: we write to standard input. */
static int open_pipes(struct platform *platform, const struct platform_launch *launch,
                      struct preparation *p, struct baton_cause *cause) {
    int result = BATON_OK;
    for (int i = 0; i < 2 && result == BATON_OK; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            return posix_failed(cause, "pipe2");
        }
        int ours = ends[i == STDIN_FILENO];
        p->ends[i] = p->spawn.streams[i] = ends[i];
        result = fcntl(ours, F_SETFL, O_NONBLOCK) == 0
                     ? posix_stream_open_pipe(platform, launch, i == STDIN_FILENO, ours,
                                              &p->pumps[i], cause)
                     : posix_failed(cause, "fcntl");
        if (result != BATON_OK) {
            close(ours);
        }
    }
    return result;
}

/* Chooses what becomes descriptors 0, 1 and 2. */
static int prepare_streams(struct platform *platform, const struct platform_launch *launch,
                           struct preparation *p, struct baton_cause *cause) {
    int *streams = p->spawn.streams;
    int log = platform->null_device;
    int result = BATON_OK;
    bool writes_to_log = launch->streams == PLATFORM_STREAMS_LOG ||
                         launch->streams == PLATFORM_STREAMS_LISTENERS ||
                         !launch->error_follows_output;
    if (launch->output != NULL && writes_to_log) {
        result = posix_pipe_open(launch->output, launch->output_id, &p->log, &p->ends[2], cause);
        if (result != BATON_OK) {
            return result;
        }
        log = p->ends[2];
    }
    streams[0] = platform->null_device;
    streams[1] = log;
    if (launch->streams == PLATFORM_STREAMS_SOCKET) {
        streams[0] = streams[1] = (int)launch->socket.value;
    } else if (launch->streams == PLATFORM_STREAMS_PIPES) {
        result = open_pipes(platform, launch, p, cause);
    } else if (launch->streams == PLATFORM_STREAMS_LISTENERS) {
        streams[0] = launch->listeners[launch->input_listener]->watch.descriptor;
    }
    /* Where both go to the log this changes nothing. */
    streams[2] = launch->error_follows_output ? streams[1] : log;
    return result;
}

/* The connection comes first, which is to come back if need be. More listeners than a packet takes
 * get a copy of the whole table. */
static void choose(const struct platform *platform, const struct platform_launch *launch,
                   struct preparation *p) {
    struct spawn *spawn = &p->spawn;
    bool has_socket = launch->streams == PLATFORM_STREAMS_SOCKET;
    bool is_few = launch->program->listener_count <= HANDOVER_MAX_COUNT - 4;
    if (has_socket) {
        posix_handover_add(platform, &p->handover, (int)launch->socket.value);
        p->handover.returns_first = launch->program->plan.gives_back;
    }
    for (uint32_t i = 0; i < spawn->passed_count; i++) {
        if (is_few || i == launch->program->listener_count) {
            posix_handover_add(platform, &p->handover, spawn->passed[i]);
        }
    }
    for (size_t i = is_few ? 0 : 1; i < 3; i++) { /* input is one of those listeners */
        posix_handover_add(platform, &p->handover, spawn->streams[i]);
    }
    spawn->handover = &p->handover;
    spawn->copies_by_clone = platform->shares_table;
    spawn->table_end = platform->shares_table && is_few ? platform->table_end : 0;
}

static int spawn(struct platform *platform, const struct platform_program *program,
                 struct platform_process *process, const struct spawn *spawn,
                 struct baton_cause *cause) {
    int result =
        posix_spawn_process(&program->plan, spawn, &process->pid, &process->end.descriptor, cause);
    if (process->end.descriptor >= 0 && posix_watch_set(platform, &process->end, EPOLLIN) != 0) {
        posix_close_descriptor(&process->end.descriptor); /* SIGCHLD will do */
    }
    if (result == BATON_OK && process->end.descriptor < 0) {
        platform->has_exit_watches = false;
    }
    return result;
}

/* Other processes of our user may have more under way than we are allowed to have. */
static int put(struct platform *platform, struct preparation *p, struct baton_cause *cause) {
    if (posix_handover_put(platform, platform->handover, &p->handover) == 0) {
        return BATON_OK;
    }
    if (errno != ETOOMANYREFS) {
        return posix_failed(cause, "sendmsg");
    }
    p->handover.count = 0;
    p->handover.returns_first = false;
    p->spawn.table_end = 0;
    p->is_copied = true;
    return BATON_OK;
}

/* Closes what was handed over, before the child is there; what was copied, the closer does. */
static void let_go(const struct platform_launch *launch, struct preparation *p) {
    for (int i = 0; i < 4 && !p->is_copied; i++) {
        posix_close_descriptor(&p->ends[i]);
    }
    if (p->handover.returns_first) {
        close((int)launch->socket.value);
    }
}

static int hand_over(struct platform *platform, const struct platform_launch *launch,
                     struct platform_process *process, struct preparation *p, bool *has_taken,
                     struct baton_cause *cause) {
    choose(platform, launch, p);
    int result = put(platform, p, cause);
    if (result != BATON_OK) {
        return result;
    }
    let_go(launch, p);
    *has_taken = p->handover.returns_first;
    result = spawn(platform, launch->program, process, &p->spawn, cause);
    bool was_killed = p->spawn.table_end > 0 && !p->handover.was_taken;
    if (result != BATON_OK) {
        int code = posix_handover_undo(platform, &p->handover);
        *has_taken = code != 0;
        if (*has_taken) { /* why there is no other attempt comes before why there was to be one */
            (void)posix_failed_with(cause, "sendmsg", code);
            result = BATON_SYSTEM;
        }
    } else if (was_killed) { /* before it got that far */
        p->handover.returns_first = false;
        (void)posix_handover_undo(platform, &p->handover);
    }
    for (int i = 0; i < 4 && result == BATON_OK; i++) {
        posix_let_go(platform, p->ends[i]);
        p->ends[i] = -1;
    }
    return result;
}

/* Nobody has the other end yet, so that there is room; but too much may be under way. */
static bool put_offer(const struct platform_launch *launch, int channel) {
    return launch->offer != NULL && posix_send_packet(channel, launch->offer, launch->offer_bytes,
                                                      (int)launch->offer_socket.value) >= 0;
}

/* The same, but that a launcher makes the child, which is told later. Nothing is let go unless it
 * was asked. */
static int ask(struct platform *platform, const struct platform_launch *launch,
               struct launch *place, struct platform_process *process, struct preparation *p,
               struct baton_cause *cause) {
    choose(platform, launch, p);
    p->spawn.table_end = 0; /* a launcher's table is small, and copied */
    if (!launcher_describe(place, launch->program, launch, &p->spawn)) {
        return BATON_TOO_LONG;
    }
    if (posix_handover_put(platform, place->launcher->handover, &p->handover) != 0) {
        int code = errno;
        int result = posix_failed(cause, "sendmsg");
        return code == ETOOMANYREFS ? BATON_UNSUPPORTED : result;
    }
    posix_launchers_begin(platform, place, process, p);
    let_go(launch, p);
    return BATON_OK;
}

/* What the process has by then; a launcher tells the rest later: `*place` is NULL if none was
 * asked, for too much is under way. */
static int start(struct platform *platform, const struct platform_launch *launch,
                 struct launch **place, struct platform_process *process, struct preparation *p,
                 struct platform_launched *out, struct baton_cause *cause) {
    int result = prepare_streams(platform, launch, p, cause);
    if (result == BATON_OK && launch->program->nonce != NULL) {
        result = posix_channel_open(process, *place == NULL, &p->ends[3], cause);
        p->spawn.passed[launch->program->listener_count] = p->ends[3];
    }
    if (result == BATON_OK) {
        out->has_offered = put_offer(launch, process->channel.descriptor);
    }
    if (result == BATON_OK && *place != NULL) {
        result = ask(platform, launch, *place, process, p, cause);
        out->has_taken_socket = result == BATON_OK && p->handover.returns_first;
    }
    if (result == BATON_UNSUPPORTED && *place != NULL) {
        *place = NULL;
        result = process->channel.descriptor < 0
                     ? BATON_OK
                     : posix_watch_begin(platform, &process->channel, EPOLLIN, cause);
    }
    if (result == BATON_OK && *place == NULL) {
        result = hand_over(platform, launch, process, p, &out->has_taken_socket, cause);
    }
    for (int i = 0; i < 4; i++) {
        posix_close_descriptor(&p->ends[i]);
    }
    return result;
}

/* Nobody has had the other ends of what is closed. */
void posix_launch_give_up(struct platform *platform, struct platform_process *process,
                          struct preparation *p) {
    platform_stream_close(&p->pumps[0]);
    platform_stream_close(&p->pumps[1]);
    if (p->log != NULL) {
        p->log->has_ended = true;
        posix_pipe_close(p->log);
    }
    if (process != NULL) {
        posix_watch_close(platform, &process->channel);
        posix_process_give(process);
    }
}

/* It runs, be it that it has ended. */
void posix_launch_complete(struct platform_process *process, struct preparation *p,
                           struct platform_launched *out) {
    if (p->log != NULL) {
        process->output = p->log;
        p->log->process = process;
        posix_pipe_begin(p->log, process->pid);
    }
    out->process = process;
    out->input = p->pumps[0];
    out->output = p->pumps[1];
}

bool platform_offers_at_launch(const struct platform *platform) {
    (void)platform;
    return true;
}

static int try_launch(struct platform *platform, const struct platform_launch *launch,
                      struct platform_launched *out, struct baton_cause *cause) {
    *out = (struct platform_launched){.socket = PLATFORM_SOCKET_NONE};
    *cause = (struct baton_cause){0};
    /* The places that a launch fills belong to the recipe, which is const for its owner only. */
    struct platform_program *program = (struct platform_program *)(uintptr_t)launch->program;
    struct launch *place = NULL;
    if (launch->streams == PLATFORM_STREAMS_SOCKET && !platform_socket_is_open(launch->socket)) {
        return BATON_GONE;
    }
    if (posix_launchers_serve(platform, program)) {
        place = posix_launchers_choose(platform, program);
        if (place == NULL) {
            return BATON_AGAIN;
        }
    }
    int result = posix_program_fill(program, launch);
    if (result != BATON_OK) {
        return result;
    }
    struct platform_process *process = posix_process_take(platform);
    if (process == NULL) {
        return BATON_SHORTAGE;
    }
    process->channel.token = launch->token;
    process->leaves_children = program->leaves_children;
    process->program = program;
    struct preparation p = {.ends = {-1, -1, -1, -1}};
    p.spawn.passed = program->passed;
    p.spawn.passed_count = program->listener_count + (program->nonce != NULL ? 1 : 0);
    p.spawn.argv = launch->argv != NULL ? (char *const *)(uintptr_t)launch->argv : program->argv;
    result = start(platform, launch, &place, process, &p, out, cause);
    if (result != BATON_OK) {
        posix_launch_give_up(platform, process, &p);
        return result;
    }
    if (place != NULL) {
        out->process = process;
        return BATON_AGAIN;
    }
    posix_process_add(platform, process);
    posix_launch_complete(process, &p, out);
    return BATON_OK;
}

int platform_launch(struct platform *platform, const struct platform_launch *launch,
                    struct platform_launched *out, struct baton_cause *cause) {
    int result = try_launch(platform, launch, out, cause);
    if (result == BATON_SHORTAGE && reserve_let_go(&platform->reserve)) {
        result = try_launch(platform, launch, out, cause);
    }
    return result == BATON_SHORTAGE ? posix_short(platform) : result;
}
