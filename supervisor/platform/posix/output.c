/*
 * What handlers write: a pipe for each process, which nobody but the process and its descendants
 * can write to, shut, or put anything but bytes in. It is used once, so that who wrote is known.
 *
 * Most handlers live for a moment and write nothing. Their pipe is looked at once, when they have
 * exited. Those of the others get into an epoll of their own: of who lives for LONG_LIFE_US, or has
 * written something at FIRST_LOOK_US. That one epoll is watched by the loop's, so all pipes can
 * be paused at once.
 *
 * Who has the other end may have the pipe's lock, so what lives is read by a carrier (carriers.h);
 * what nobody can write to any more is read here.
 */
#include "core/base/table.h"
#include "platform/posix/held.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LOOK_US 40000u
#define LONG_LIFE_US 100000u
#define BATCH_COUNT 64

/* Anybody may open it for writing by the name /dev/stderr, whatever user the program becomes; its
 * contents are for us. */
#define PIPE_MODE 0222

/* ---- All pipes ---- */

int posix_outputs_open(struct platform *platform, size_t pipe_count, struct baton_cause *cause) {
    struct posix_outputs *outputs = &platform->outputs;
    outputs->pipes = table_create(pipe_count, sizeof *outputs->pipes);
    if (outputs->pipes == NULL || slots_init(&outputs->slots, (uint32_t)pipe_count) != BATON_OK) {
        return BATON_NO_MEMORY;
    }
    outputs->watch.descriptor = epoll_create1(EPOLL_CLOEXEC);
    if (outputs->watch.descriptor < 0) {
        return posix_failed(cause, "epoll_create1");
    }
    return posix_watch_begin(platform, &outputs->watch, EPOLLIN, cause);
}

void posix_outputs_close(struct platform *platform) {
    struct posix_outputs *outputs = &platform->outputs;
    SLOTS_EACH(i, &outputs->slots) {
        posix_pipe_close(&outputs->pipes[i]);
    }
    posix_watch_close(platform, &outputs->watch);
    slots_clear(&outputs->slots);
    free(outputs->pipes);
}

/* ---- Which pipes have something ---- */

/* The collector is told of until all its ready pipes have been read. */
static void set_ready(struct output_pipe *pipe, bool first) {
    struct platform_output *output = pipe->output;
    if (pipe->is_ready) {
        return;
    }
    pipe->is_ready = true;
    if (output->first_ready == NULL) {
        if (!output->is_paused) {
            posix_list_append(&output->platform->outputs.told, &output->node);
        }
        output->last_ready = pipe;
    }
    if (first || output->first_ready == NULL) {
        pipe->next_ready = output->first_ready;
        output->first_ready = pipe;
    } else {
        pipe->next_ready = NULL;
        output->last_ready->next_ready = pipe;
        output->last_ready = pipe;
    }
}

/* Takes the first out of the list. */
static void unset_ready(struct platform_output *output) {
    struct output_pipe *pipe = output->first_ready;
    pipe->is_ready = false;
    output->first_ready = pipe->next_ready;
    if (output->first_ready == NULL) {
        output->last_ready = NULL;
        if (!output->is_paused) {
            posix_list_remove(&output->platform->outputs.told, &output->node);
        }
    }
}

void posix_outputs_take_reports(struct platform *platform) {
    struct epoll_event batch[BATCH_COUNT];
    int got = epoll_wait(platform->outputs.watch.descriptor, batch, BATCH_COUNT, 0);
    for (int i = 0; i < got; i++) {
        struct output_pipe *pipe = batch[i].data.ptr;
        pipe->is_armed = false;
        set_ready(pipe, false);
    }
}

bool posix_outputs_are_ready(const struct platform *platform) {
    return platform->outputs.told.first != NULL && !platform->outputs.is_paused;
}

/* Who was told stands behind who was not. */
void posix_outputs_tell(struct platform *platform, struct told *told) {
    struct posix_list *list = &platform->outputs.told;
    const struct posix_node *last = list->last;
    while (told->count < told->capacity && posix_outputs_are_ready(platform)) {
        struct platform_output *output = (struct platform_output *)list->first;
        posix_tell(told, PLATFORM_EVENT_OUTPUT, output->token);
        posix_list_remove(list, &output->node);
        posix_list_append(list, &output->node);
        if (&output->node == last) {
            break;
        }
    }
}

/* ---- When a pipe gets into the epoll ---- */

static void link_last(struct posix_list *list, struct output_pipe *pipe) {
    pipe->list = list;
    posix_list_append(list, &pipe->node);
}

static void unlink_pipe(struct output_pipe *pipe) {
    if (pipe->list != NULL) {
        posix_list_remove(pipe->list, &pipe->node);
        pipe->list = NULL;
    }
}

/* It tells once, until it is armed again. False if the system has no memory for it. */
static bool watch_pipe(struct output_pipe *pipe) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = pipe};
    int epoll = pipe->output->platform->outputs.watch.descriptor;
    int operation = pipe->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    pipe->is_armed = epoll_ctl(epoll, operation, pipe->descriptor, &event) == 0;
    pipe->is_watched = pipe->is_watched || pipe->is_armed;
    return pipe->is_armed;
}

/* The oldest of the list if it is old enough, out of the list; else NULL, and when it will be. */
static struct output_pipe *take_due(struct posix_list *list, uint64_t now_us, uint64_t age_us,
                                    uint64_t *again_us) {
    struct output_pipe *pipe = (struct output_pipe *)list->first;
    if (pipe != NULL && now_us >= pipe->born_us + age_us) {
        unlink_pipe(pipe);
        return pipe;
    }
    if (pipe != NULL && pipe->born_us + age_us < *again_us) {
        *again_us = pipe->born_us + age_us;
    }
    return NULL;
}

uint64_t posix_outputs_look(struct platform *platform, uint64_t now_us) {
    struct posix_outputs *outputs = &platform->outputs;
    struct output_pipe *pipe;
    uint64_t again_us = PLATFORM_WAIT_FOREVER;
    while ((pipe = take_due(&outputs->young, now_us, FIRST_LOOK_US, &again_us)) != NULL) {
        if (posix_look(pipe->descriptor, POLLIN) == 0 || !watch_pipe(pipe)) {
            link_last(&outputs->old, pipe);
        }
    }
    while ((pipe = take_due(&outputs->old, now_us, LONG_LIFE_US, &again_us)) != NULL) {
        if (!watch_pipe(pipe)) {
            pipe->born_us = now_us; /* once more, later */
            link_last(&outputs->old, pipe);
        }
    }
    return again_us;
}

/* ---- One pipe ---- */

int posix_pipe_open(struct platform_output *output, uint64_t id, struct output_pipe **out,
                    int *child_end, struct baton_cause *cause) {
    struct posix_outputs *outputs = &output->platform->outputs;
    int ends[2];
    uint32_t slot = slots_take(&outputs->slots);
    if (slot == SLOT_NONE) {
        return BATON_SHORTAGE;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        slots_give(&outputs->slots, slot);
        return posix_failed(cause, "pipe2");
    }
    fchmod(ends[1], PIPE_MODE);
    struct output_pipe *pipe = &outputs->pipes[slot];
    *pipe = (struct output_pipe){.output = output, .descriptor = ends[0], .id = id};
    *child_end = ends[1];
    *out = pipe;
    return BATON_OK;
}

void posix_pipe_begin(struct output_pipe *pipe, pid_t pid) {
    struct platform *platform = pipe->output->platform;
    pipe->pid = (uint32_t)pid;
    pipe->born_us = platform_now_us(platform);
    link_last(&platform->outputs.young, pipe);
}

/* Who lives is looked at soon, whatever its age; of who does not all is read. */
int posix_pipe_adopt(const struct output_pipe *adopted, const void *bytes, size_t length) {
    struct posix_outputs *outputs = &adopted->output->platform->outputs;
    uint32_t slot = slots_take(&outputs->slots);
    if (slot == SLOT_NONE) {
        return BATON_SHORTAGE;
    }
    struct output_pipe *pipe = &outputs->pipes[slot];
    *pipe = *adopted;
    if (pipe->process != NULL) {
        pipe->process->output = pipe;
    }
    if (length > 0) {
        pipe->reading = calloc(1, sizeof *pipe->reading);
        if (pipe->reading == NULL || !posix_fetched_put(&pipe->reading->fetched, bytes, length)) {
            return BATON_NO_MEMORY;
        }
        pipe->reading->pipe = pipe;
    }
    if (pipe->process != NULL && length == 0) {
        link_last(&outputs->old, pipe);
    } else {
        set_ready(pipe, true);
    }
    return BATON_OK;
}

void posix_pipe_end(struct output_pipe *pipe) {
    unlink_pipe(pipe);
    set_ready(pipe, true);
}

static void forget_reading(struct output_pipe *pipe) {
    if (pipe->reading != NULL) {
        posix_fetched_clear(&pipe->reading->fetched);
        free(pipe->reading);
        pipe->reading = NULL;
    }
}

void posix_pipe_close(struct output_pipe *pipe) {
    struct posix_outputs *outputs = &pipe->output->platform->outputs;
    unlink_pipe(pipe);
    if (pipe->process != NULL) {
        pipe->process->output = NULL;
    }
    if (pipe->is_watched) {
        epoll_ctl(outputs->watch.descriptor, EPOLL_CTL_DEL, pipe->descriptor, NULL);
    }
    if (pipe->has_ended) {
        close(pipe->descriptor);
    } else {
        struct carrier_job idle = {.owner = pipe->output, .descriptor = pipe->descriptor};
        posix_carriers_drop(pipe->output->platform,
                            pipe->reading != NULL ? &pipe->reading->job : &idle);
    }
    forget_reading(pipe);
    slots_give(&outputs->slots, (uint32_t)(pipe - outputs->pipes));
}

/* Whatever it was that came: it is looked at again. */
static bool read_done(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                      ssize_t result, int code) {
    struct pipe_reading *reading = (struct pipe_reading *)job;
    (void)platform;
    (void)code;
    if (result > 0 && !posix_fetched_put(&reading->fetched, bytes, (size_t)result)) {
        return false;
    }
    set_ready(reading->pipe, false);
    return true;
}

/* Most are never read. Who may open it for reading might take what was seen in it; then a read
 * shall not wait. */
static void prepare_to_read(struct output_pipe *pipe) {
    if (!pipe->is_nonblocking) {
        pipe->is_nonblocking = fcntl(pipe->descriptor, F_SETFL, O_NONBLOCK) == 0;
    }
}

/* Without memory it is tried again when the pipe is looked at next. */
static void begin_reading(struct output_pipe *pipe) {
    prepare_to_read(pipe);
    if (pipe->reading == NULL) {
        pipe->reading = calloc(1, sizeof *pipe->reading);
    }
    if (pipe->reading != NULL) {
        pipe->reading->pipe = pipe;
        pipe->reading->job = (struct carrier_job){.work = posix_carrier_read,
                                                  .done = read_done,
                                                  .owner = pipe->output,
                                                  .descriptor = pipe->descriptor,
                                                  .length = CARRIER_BYTES};
        (void)posix_carriers_give(pipe->output->platform, &pipe->reading->job);
    }
}

static bool is_being_read(const struct output_pipe *pipe) {
    return pipe->reading != NULL && pipe->reading->job.state != CARRIER_JOB_NONE;
}

bool posix_pipe_settles(struct output_pipe *pipe) {
    struct platform *platform = pipe->output->platform;
    short state = posix_look(pipe->descriptor, POLLIN);
    if ((state & POLLHUP) != 0) { /* the rest needs no carrier */
        bool settles =
            pipe->reading == NULL || posix_carriers_recall(platform, &pipe->reading->job);
        pipe->is_empty = settles && (state & POLLIN) == 0;
        return settles;
    }
    bool has_bytes = pipe->reading != NULL && pipe->reading->fetched.bytes != NULL;
    if ((state & POLLIN) != 0 && !has_bytes && !is_being_read(pipe)) {
        begin_reading(pipe);
    }
    return (state & POLLIN) == 0 && !is_being_read(pipe);
}

void posix_pipe_look_again(struct output_pipe *pipe) {
    if (pipe->reading != NULL) {
        posix_carriers_look_at(pipe->output->platform, &pipe->reading->job);
    }
}

/* Nobody has the other end. */
static int read_rest(struct output_pipe *pipe, char *buffer, size_t capacity, size_t *length) {
    prepare_to_read(pipe);
    ssize_t got = read(pipe->descriptor, buffer, capacity);
    *length = got > 0 ? (size_t)got : 0;
    return got > 0 ? BATON_OK : BATON_END;
}

/* BATON_OK and the bytes; BATON_AGAIN: nothing now; BATON_END: nothing any more. */
static int read_pipe(struct output_pipe *pipe, char *buffer, size_t capacity, size_t *length) {
    if (pipe->reading != NULL && pipe->reading->fetched.bytes != NULL) {
        *length = posix_fetched_take(&pipe->reading->fetched, buffer, capacity);
        return BATON_OK;
    }
    if (pipe->is_empty) {
        return BATON_END;
    }
    short state = is_being_read(pipe) ? 0 : posix_look(pipe->descriptor, POLLIN);
    if ((state & POLLHUP) != 0) {
        return (state & POLLIN) != 0 ? read_rest(pipe, buffer, capacity, length) : BATON_END;
    }
    if (state != 0) {
        begin_reading(pipe);
    }
    return BATON_AGAIN;
}

/* ---- A collector ---- */

int platform_output_open(struct platform *platform, uint64_t token, struct platform_output **out,
                         struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return BATON_NO_MEMORY;
    }
    (*out)->platform = platform;
    (*out)->token = token;
    return BATON_OK;
}

/* It is not at its end: whoever has it is read from now on like who lives long, also when its
 * process is gone. */
static void keep(struct output_pipe *pipe) {
    bool is_told = pipe->is_armed || pipe->list != NULL || is_being_read(pipe);
    if (!is_told && !watch_pipe(pipe)) {
        struct platform *platform = pipe->output->platform;
        pipe->born_us = platform_now_us(platform);
        link_last(&platform->outputs.old, pipe);
    }
}

int platform_output_read(struct platform_output *output, char *buffer, size_t capacity,
                         size_t *length, struct platform_writer *writer,
                         struct baton_cause *cause) {
    int result = BATON_AGAIN;
    struct output_pipe *pipe;
    *length = 0;
    *writer = (struct platform_writer){0};
    *cause = (struct baton_cause){0};
    while (result == BATON_AGAIN && (pipe = output->first_ready) != NULL) {
        result = read_pipe(pipe, buffer, capacity, length);
        *writer = (struct platform_writer){.pid = pipe->pid, .id = pipe->id};
        if (result == BATON_OK) {
            break; /* it is the first still, and may have more */
        }
        unset_ready(output);
        if (result == BATON_END) {
            pipe->has_ended = true; /* nobody has the other end */
            posix_pipe_close(pipe);
        } else {
            keep(pipe);
        }
    }
    return result;
}

void platform_outputs_pause(struct platform *platform) {
    platform->outputs.is_paused = true;
    posix_watch_set(platform, &platform->outputs.watch, 0);
}

void platform_outputs_resume(struct platform *platform) {
    platform->outputs.is_paused = false;
    posix_watch_set(platform, &platform->outputs.watch, EPOLLIN);
}

void platform_output_pause(struct platform_output *output) {
    if (!output->is_paused && output->first_ready != NULL) {
        posix_list_remove(&output->platform->outputs.told, &output->node);
    }
    output->is_paused = true;
}

void platform_output_resume(struct platform_output *output) {
    if (output->is_paused && output->first_ready != NULL) {
        posix_list_append(&output->platform->outputs.told, &output->node);
    }
    output->is_paused = false;
}

void platform_output_close(struct platform_output **output) {
    struct platform_output *closing = *output;
    if (closing == NULL) {
        return;
    }
    struct posix_outputs *outputs = &closing->platform->outputs;
    posix_launchers_forget_output(closing->platform, closing);
    if (closing->first_ready != NULL && !closing->is_paused) {
        posix_list_remove(&outputs->told, &closing->node);
    }
    SLOTS_EACH(i, &outputs->slots) {
        if (outputs->pipes[i].output == closing) {
            posix_pipe_close(&outputs->pipes[i]);
        }
    }
    free(closing);
    *output = NULL;
}
