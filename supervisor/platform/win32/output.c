/*
 * Output of handlers: a pipe for each process, because Windows has no socket that names its writer.
 * A collector keeps the list of those of its pipes that have something.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static void list_append(struct output_pipe *pipe) {
    struct platform_output *output = pipe->output;
    if (pipe->ready) {
        return;
    }
    pipe->ready = true;
    pipe->next_ready = NULL;
    if (output->last_ready != NULL) {
        output->last_ready->next_ready = pipe;
    } else {
        output->first_ready = pipe;
    }
    output->last_ready = pipe;
}

static struct output_pipe *list_take_first(struct platform_output *output) {
    struct output_pipe *pipe = output->first_ready;
    if (pipe != NULL) {
        output->first_ready = pipe->next_ready;
        if (output->first_ready == NULL) {
            output->last_ready = NULL;
        }
        pipe->next_ready = NULL;
        pipe->ready = false;
    }
    return pipe;
}

static bool is_paused(const struct platform_output *output) {
    return output->is_paused || output->platform->outputs_paused;
}

/* What is ready now has no packet of its own any more, so one is kept in the port for it. */
static void report_again(struct platform_output *output) {
    if (output->first_ready != NULL && !output->posted && !is_paused(output)) {
        output->posted = true;
        win32_packet_post(output->platform->port, PACKET_OUTPUT, output->index, output->generation);
    }
}

/* Starts the next read of an emptied piece. */
static void read_on(struct output_pipe *pipe) {
    struct baton_cause ignored;
    pipe->have_bytes = 0;
    pipe->taken_bytes = 0;
    if (win32_pipe_read(&pipe->end, pipe->piece, sizeof pipe->piece, &ignored) != BATON_OK) {
        pipe->ended = true;
    }
    if (pipe->ended || HasOverlappedIoCompleted(&pipe->end.operation)) {
        list_append(pipe);
    }
}

/* BATON_OK: the piece has bytes to give. BATON_AGAIN: the read is under way. BATON_END. */
static int fill(struct output_pipe *pipe) {
    struct baton_cause ignored;
    DWORD moved = 0;
    if (pipe->taken_bytes < pipe->have_bytes) {
        return BATON_OK;
    }
    if (pipe->ended) {
        return BATON_END;
    }
    int code = win32_pipe_result(&pipe->end, &moved, &ignored);
    if (code == BATON_OK && moved == 0) { /* somebody wrote nothing; a pipe tells even that */
        read_on(pipe);
        return pipe->ended ? BATON_END : BATON_AGAIN;
    }
    pipe->have_bytes = moved;
    pipe->taken_bytes = 0;
    pipe->spoke = pipe->spoke || moved > 0;
    return code == BATON_OK || code == BATON_AGAIN ? code : BATON_END;
}

static size_t give(struct output_pipe *pipe, char *buffer, size_t capacity) {
    size_t left = pipe->have_bytes - pipe->taken_bytes;
    size_t taken = left < capacity ? left : capacity;
    memcpy(buffer, pipe->piece + pipe->taken_bytes, taken);
    pipe->taken_bytes += (DWORD)taken;
    if (pipe->taken_bytes == pipe->have_bytes) {
        read_on(pipe);
    } else {
        list_append(pipe);
    }
    return taken;
}

int platform_output_read(struct platform_output *output, char *buffer, size_t capacity,
                         size_t *length, struct platform_writer *writer,
                         struct baton_cause *cause) {
    struct output_pipe *pipe;
    int code = BATON_AGAIN;
    *length = 0;
    *writer = (struct platform_writer){0};
    *cause = (struct baton_cause){NULL, 0};
    while (code == BATON_AGAIN && (pipe = list_take_first(output)) != NULL) {
        code = fill(pipe);
        *writer = pipe->writer;
        if (code == BATON_OK) {
            *length = give(pipe, buffer, capacity);
        } else if (code == BATON_END) {
            win32_output_pipe_close(output->platform, pipe);
        }
    }
    report_again(output);
    return code;
}

bool win32_output_event(struct platform_output *output, struct platform_event *event) {
    output->posted = false;
    if (output->first_ready == NULL || is_paused(output) ||
        output->reported_wait == output->platform->wait_count) {
        return false;
    }
    output->reported_wait = output->platform->wait_count;
    *event = (struct platform_event){PLATFORM_EVENT_OUTPUT, output->token};
    return true;
}

bool win32_pipe_event(struct output_pipe *pipe, struct platform_event *event) {
    struct platform_output *output = pipe->output;
    if (pipe->end.started && !HasOverlappedIoCompleted(&pipe->end.operation)) {
        return false;
    }
    list_append(pipe);
    bool posted = output->posted;
    bool report = win32_output_event(output, event);
    output->posted = posted;
    return report;
}

void platform_outputs_pause(struct platform *platform) {
    platform->outputs_paused = true;
}

void platform_outputs_resume(struct platform *platform) {
    platform->outputs_paused = false;
    for (size_t i = 0; i < platform->source_count; i++) {
        if (platform->sources[i].kind == SOURCE_OUTPUT) {
            report_again(platform->sources[i].object);
        }
    }
}

void platform_output_pause(struct platform_output *output) {
    output->is_paused = true;
}

void platform_output_resume(struct platform_output *output) {
    output->is_paused = false;
    report_again(output);
}

/* When the table is full: frees a pipe that ended before anything was written. Its end need not be
 * told, because there is no line to finish. */
static void reclaim(struct platform *platform) {
    struct output_pipe *pipe;
    for (uint32_t at = 0; (pipe = win32_slot_table_next(&platform->pipes, &at)) != NULL;) {
        if (pipe->spoke) {
            continue;
        }
        int code = fill(pipe);
        if (code == BATON_END) {
            win32_output_pipe_close(platform, pipe);
            return;
        }
        if (code == BATON_OK) {
            list_append(pipe);
        }
    }
}

struct output_pipe *win32_output_pipe_take(struct platform_output *output,
                                           struct baton_cause *cause) {
    struct platform *platform = output->platform;
    if (platform->pipes.slots.in_use_count == platform->pipes.slots.count) {
        reclaim(platform);
    }
    uint32_t index = win32_slot_table_take(&platform->pipes, cause);
    if (index == SLOT_NONE) {
        return NULL;
    }
    struct output_pipe *pipe = win32_slot_table_at(&platform->pipes, index);
    pipe->index = index;
    pipe->generation = win32_slot_table_generation(&platform->pipes, index);
    pipe->output = output;
    pipe->next_ready = NULL;
    pipe->ready = false;
    pipe->ended = false;
    pipe->spoke = false;
    pipe->have_bytes = 0;
    pipe->taken_bytes = 0;
    pipe->end.watch = (struct watch){platform->port, NULL, PACKET_PIPE, index, pipe->generation};
    return pipe;
}

int win32_output_pipe_open(struct platform_output *output, struct output_pipe **out, HANDLE *theirs,
                           struct baton_cause *cause) {
    struct output_pipe *pipe = win32_output_pipe_take(output, cause);
    *out = NULL;
    if (pipe == NULL) {
        return BATON_SHORTAGE;
    }
    int code = win32_pipe_open(&pipe->end, PIPE_TO_US, LOG_BUFFER_BYTES, theirs, cause);
    if (code != BATON_OK) {
        win32_output_pipe_close(output->platform, pipe);
        return code;
    }
    *out = pipe;
    return BATON_OK;
}

void win32_output_pipe_go_on(struct output_pipe *pipe) {
    if (pipe->ended || pipe->taken_bytes < pipe->have_bytes) {
        list_append(pipe);
    } else if (!pipe->end.started) {
        read_on(pipe);
    }
    report_again(pipe->output);
}

int win32_output_pipe_start(struct output_pipe *pipe, const struct platform_writer *writer,
                            struct baton_cause *cause) {
    pipe->writer = *writer;
    int code = win32_watch_start(&pipe->end.watch, pipe->end.event, cause);
    if (code == BATON_OK) {
        read_on(pipe);
        report_again(pipe->output);
    }
    return code;
}

static void list_remove(struct output_pipe *pipe) {
    struct platform_output *output = pipe->output;
    struct output_pipe *before = NULL;
    for (struct output_pipe *at = output->first_ready; at != NULL; at = at->next_ready) {
        if (at == pipe) {
            *(before != NULL ? &before->next_ready : &output->first_ready) = pipe->next_ready;
            if (output->last_ready == pipe) {
                output->last_ready = before;
            }
            pipe->ready = false;
            return;
        }
        before = at;
    }
}

void win32_output_pipe_close(struct platform *platform, struct output_pipe *pipe) {
    if (pipe->ready) {
        list_remove(pipe);
    }
    win32_pipe_close(&pipe->end);
    slots_give(&platform->pipes.slots, pipe->index);
}

int platform_output_open(struct platform *platform, uint64_t token, struct platform_output **out,
                         struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    *out = NULL;
    struct platform_output *output = calloc(1, sizeof *output);
    if (output == NULL) {
        return BATON_NO_MEMORY;
    }
    output->platform = platform;
    output->token = token;
    int code =
        win32_source_take(platform, SOURCE_OUTPUT, output, &output->index, &output->generation);
    if (code != BATON_OK) {
        free(output);
        return code;
    }
    *out = output;
    return BATON_OK;
}

void platform_output_close(struct platform_output **address) {
    struct platform_output *output = *address;
    *address = NULL;
    if (output == NULL) {
        return;
    }
    struct output_pipe *pipe;
    for (uint32_t at = 0; (pipe = win32_slot_table_next(&output->platform->pipes, &at)) != NULL;) {
        if (pipe->output == output) {
            win32_output_pipe_close(output->platform, pipe);
        }
    }
    win32_source_release(output->platform, output->index);
    free(output);
}
