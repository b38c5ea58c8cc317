#include "internal.h"

#include "wire.h"

#include <string.h>

_Static_assert(CHANNEL_FRAME_MAX_BYTES == WIRE_HEADER_BYTES + WIRE_BODY_MAX_TO_SUPERVISOR,
               "a frame from a handler");
_Static_assert(PLATFORM_SEND_MAX_BYTES <= WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES,
               "a frame to a handler");

static bool is_open(const struct platform_process *process) {
    return process->in.handle != NULL;
}

void win32_channel_measure(struct platform_process *process) {
    process->left_bytes = 0;
    if (is_open(process)) {
        PeekNamedPipe(process->in.handle, NULL, 0, NULL, &process->left_bytes, NULL);
    }
}

static int read_on(struct platform_process *process, struct baton_cause *cause) {
    DWORD bytes = (DWORD)(process->need_bytes - process->have_bytes);
    if (process->exited) {
        bytes = bytes < process->left_bytes ? bytes : process->left_bytes;
        process->left_bytes -= bytes;
        if (bytes == 0) {
            return BATON_END; /* somebody who escaped may have the other end, and write for ever */
        }
    }
    return win32_pipe_read(&process->in, process->frame + process->have_bytes, bytes, cause);
}

static void report_again(const struct platform_process *process) {
    win32_packet_post(process->platform->port, PACKET_CHANNEL, process->index, process->generation);
}

/* Starts the read of the next frame at once, so that a caller who does not come back for it is
 * told. A read that ends at once sets its event as well; only one that fails does not. */
static void read_next_frame(struct platform_process *process) {
    struct baton_cause ignored;
    process->have_bytes = 0;
    process->need_bytes = WIRE_HEADER_BYTES;
    process->is_measured = false;
    if (!process->exited && read_on(process, &ignored) != BATON_OK) {
        report_again(process);
    }
}

int win32_channel_start(struct platform_process *process, struct baton_cause *cause) {
    process->in.watch = (struct watch){process->platform->port, NULL, PACKET_CHANNEL,
                                       process->index, process->generation};
    process->out.watch = (struct watch){process->platform->port, NULL, PACKET_WRITABLE,
                                        process->index, process->generation};
    int code = win32_watch_start(&process->in.watch, process->in.event, cause);
    if (code == BATON_OK) {
        read_next_frame(process);
    }
    return code;
}

/* Takes the result of the read under way, or starts one. After EXIT nobody can write any more, so
 * a read that does not end at once will never end. */
static int gather(struct platform_process *process, struct baton_cause *cause) {
    int code = process->in.started ? BATON_OK : read_on(process, cause);
    DWORD moved = 0;
    if (code == BATON_OK) {
        code = win32_pipe_result(&process->in, &moved, cause);
    }
    if (code == BATON_AGAIN && process->exited) {
        code = win32_pipe_cancel(&process->in, &moved, cause);
    }
    process->have_bytes += moved;
    return code;
}

/* Called with a whole header: learns how long the frame is. */
static int measure(struct platform_process *process, size_t capacity) {
    size_t body_bytes = 0;
    enum wire_result result =
        wire_check_header(process->frame, WIRE_HEADER_BYTES, WIRE_FROM_HANDLER, &body_bytes);
    if (result == WIRE_BAD_LENGTH) {
        return BATON_TOO_LONG;
    }
    if (result != WIRE_OK) {
        return BATON_INVALID;
    }
    process->need_bytes = WIRE_HEADER_BYTES + body_bytes;
    process->is_measured = true;
    return process->need_bytes > capacity ? BATON_TOO_LONG : BATON_OK;
}

static int tell_end(struct platform_process *process) {
    process->channel_ended = true;
    process->end_told = true;
    return BATON_END;
}

/* The end follows a fault, and nothing else will report it. */
static int tell_fault(struct platform_process *process, int code) {
    process->channel_ended = true;
    if (!process->exited) {
        report_again(process);
    }
    return code;
}

int platform_channel_receive(struct platform_process *process, void *buffer, size_t capacity,
                             size_t *length, struct baton_cause *cause) {
    *length = 0;
    *cause = (struct baton_cause){NULL, 0};
    if (!is_open(process) || process->channel_ended) {
        return tell_end(process);
    }
    while (process->have_bytes < process->need_bytes || !process->is_measured) {
        int code = process->have_bytes < process->need_bytes ? gather(process, cause) : BATON_OK;
        if (code == BATON_END && process->have_bytes == 0) {
            return tell_end(process);
        }
        if (code == BATON_AGAIN) {
            return BATON_AGAIN;
        }
        if (code == BATON_OK && process->have_bytes == WIRE_HEADER_BYTES && !process->is_measured) {
            code = measure(process, capacity);
        }
        if (code != BATON_OK) {
            *length = process->have_bytes < capacity ? process->have_bytes : capacity;
            memcpy(buffer, process->frame, *length);
            return tell_fault(process, code == BATON_END ? BATON_INVALID : code);
        }
    }
    *length = process->need_bytes;
    memcpy(buffer, process->frame, process->need_bytes);
    read_next_frame(process);
    return BATON_OK;
}

/* BATON_OK when nothing is under way any more. */
static int settle_write(struct platform_process *process, struct baton_cause *cause) {
    DWORD moved;
    return process->out.started ? win32_pipe_result(&process->out, &moved, cause) : BATON_OK;
}

/* The frame is with the system but not yet in the pipe. Without a watch nobody would learn of its
 * end, so then it is taken back; a frame that was torn by that ends the channel. */
static int watch_write(struct platform_process *process, size_t length, struct baton_cause *cause) {
    if (process->out.watch.registration != NULL ||
        win32_watch_start(&process->out.watch, process->out.event, cause) == BATON_OK) {
        return BATON_OK;
    }
    DWORD moved = 0;
    struct baton_cause ignored;
    int code = win32_pipe_cancel(&process->out, &moved, &ignored);
    if (code == BATON_OK && moved == length) {
        return BATON_OK;
    }
    win32_pipe_close(&process->out);
    return BATON_GONE;
}

int platform_channel_send(struct platform_process *process, const void *frame, size_t length,
                          struct platform_socket attach, struct baton_cause *cause) {
    (void)attach;
    *cause = (struct baton_cause){NULL, 0};
    if (process->out.handle == NULL) {
        return BATON_GONE;
    }
    if (length > PLATFORM_SEND_MAX_BYTES) {
        return BATON_TOO_LONG;
    }
    int code = settle_write(process, cause);
    if (code == BATON_AGAIN) {
        process->wants_writable = true;
        return BATON_AGAIN;
    }
    if (code == BATON_OK) {
        memcpy(process->sending, frame, length);
        code = win32_pipe_write(&process->out, process->sending, (DWORD)length, cause);
    }
    if (code == BATON_OK && !HasOverlappedIoCompleted(&process->out.operation)) {
        code = watch_write(process, length, cause);
    }
    return code == BATON_END ? BATON_GONE : code;
}

bool win32_channel_event(struct platform_process *process, struct platform_event *event) {
    if (!is_open(process) || process->end_told ||
        (process->in.started && !HasOverlappedIoCompleted(&process->in.operation))) {
        return false;
    }
    *event = (struct platform_event){PLATFORM_EVENT_CHANNEL, process->token};
    return true;
}

bool win32_writable_event(struct platform_process *process, struct platform_event *event) {
    if (!process->wants_writable || process->out.handle == NULL ||
        !HasOverlappedIoCompleted(&process->out.operation)) {
        return false;
    }
    process->wants_writable = false;
    *event = (struct platform_event){PLATFORM_EVENT_WRITABLE, process->token};
    return true;
}

void platform_channel_close(struct platform_process *process) {
    win32_pipe_close(&process->in);
    win32_pipe_close(&process->out);
    process->wants_writable = false;
}
