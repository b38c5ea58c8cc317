/*
 * All that this process waits for, broken off and begun again: at a restart either process may be
 * the one that goes on, and neither may have taken what the other one has to have.
 *
 * A read that is broken off has moved something or nothing, and says which. A write does not: how
 * much of it a reader has had by then is not known. One to a channel, whose reader is Baton's own
 * SDK as a rule, is waited for. One to a program's input, whose reader may be waiting for a client,
 * ends in the process that has begun it: a thread waits for that, for which the other process
 * waits. https://learn.microsoft.com/windows/win32/fileio/cancelioex-func
 */
#include "breaker.h"
#include "listener.h"
#include "restart.h"
#include "stream.h"

#define STACK_BYTES 65536u

/* ---- Writes that are under way ---- */

static bool is_writing(const struct pipe_end *end) {
    return end->handle != NULL && end->started && !HasOverlappedIoCompleted(&end->operation);
}

bool win32_can_stand_still(struct platform *platform) {
    bool can = platform->work == NULL;
    struct platform_process *process;
    for (uint32_t at = 0; (process = win32_slot_table_next(&platform->processes, &at)) != NULL;) {
        bool writes = is_writing(&process->out);
        process->wants_writable = process->wants_writable || writes;
        can = can && !writes && process->member == NULL;
    }
    return can;
}

/* ---- Standing still ---- */

/* What a read has moved; 0 if there is none under way. */
static DWORD break_off(struct pipe_end *end) {
    struct baton_cause ignored;
    DWORD moved = 0;
    if (end->handle != NULL && end->started) {
        (void)win32_pipe_cancel(end, &moved, &ignored);
    }
    return moved;
}

static volatile LONG is_over; /* for this process, but for its writes */

/* The program is not to wait for the end of what nobody writes to any more. */
static void close_pipe(struct platform_stream *stream) {
    HANDLE handle = InterlockedExchangePointer((void *volatile *)&stream->end.handle, NULL);
    if (handle != NULL) {
        CloseHandle(handle);
    }
}

/* Whoever else waits for the event has it behind us. */
static DWORD WINAPI await_write(void *context) {
    struct platform_stream *stream = context;
    WaitForSingleObject(stream->end.event, INFINITE);
    if (InterlockedOr(&is_over, 0) != 0) {
        close_pipe(stream);
    }
    SetEvent(stream->end.event);
    return 0;
}

static int stop_writing(struct platform_stream *stream, struct baton_cause *cause) {
    win32_watch_stop(&stream->end.watch);
    if (stream->elsewhere == NULL && is_writing(&stream->end)) {
        stream->elsewhere = CreateThread(NULL, STACK_BYTES, await_write, stream,
                                         STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
        return stream->elsewhere == NULL ? win32_cause_last(cause, "CreateThread") : BATON_OK;
    }
    return BATON_OK;
}

static int stop_stream(struct platform_stream *stream, struct baton_cause *cause) {
    if (stream->kind == STREAM_TO_PROGRAM) {
        return stop_writing(stream, cause);
    }
    if (stream->kind == STREAM_FROM_PROGRAM && stream->end.started) {
        stream->have_bytes = break_off(&stream->end);
        stream->taken_bytes = 0;
    }
    return BATON_OK;
}

static void stop_source(const struct source *source) {
    struct platform_listener *listener = source->object;
    if (source->kind == SOURCE_CONTROL) {
        win32_control_stand_still(source->object);
    } else if (source->kind == SOURCE_LISTENER && !listener->is_handed_over) {
        win32_watch_stop(&listener->watch);
        win32_listener_stand_still(listener);
    }
}

int win32_stand_still(struct platform *platform, struct baton_cause *cause) {
    int code = BATON_OK;
    struct platform_process *process;
    for (uint32_t at = 0; (process = win32_slot_table_next(&platform->processes, &at)) != NULL;) {
        process->have_bytes += break_off(&process->in);
    }
    struct output_pipe *pipe;
    for (uint32_t at = 0; (pipe = win32_slot_table_next(&platform->pipes, &at)) != NULL;) {
        if (pipe->end.started) {
            pipe->have_bytes = break_off(&pipe->end);
            pipe->taken_bytes = 0;
            pipe->spoke = pipe->spoke || pipe->have_bytes > 0;
        }
    }
    struct platform_stream *stream;
    for (uint32_t at = 0;
         (stream = win32_slot_table_next(&platform->streams->streams, &at)) != NULL;) {
        int one = stop_stream(stream, cause);
        code = one == BATON_OK ? code : one;
    }
    for (size_t i = 0; i < platform->source_count; i++) {
        stop_source(&platform->sources[i]);
    }
    return code;
}

/* ---- The rest of the old process's life ---- */

static bool is_in_our_hands(const struct platform_stream *stream) {
    return stream->elsewhere != NULL && stream->end.started;
}

bool win32_has_writes(const struct platform *platform) {
    const struct platform_stream *stream;
    for (uint32_t at = 0;
         (stream = win32_slot_table_next(&platform->streams->streams, &at)) != NULL;) {
        if (is_in_our_hands(stream)) {
            return true;
        }
    }
    return false;
}

void win32_watch_no_more(struct platform *platform) {
    struct platform_process *process;
    for (uint32_t at = 0; (process = win32_slot_table_next(&platform->processes, &at)) != NULL;) {
        win32_watch_stop(&process->exit_watch);
    }
}

/* One that ends at this moment is seen to have ended here, or is_over there. */
void win32_await_writes(const struct platform *platform) {
    struct platform_stream *stream;
    InterlockedExchange(&is_over, 1);
    for (uint32_t at = 0;
         (stream = win32_slot_table_next(&platform->streams->streams, &at)) != NULL;) {
        if (is_in_our_hands(stream) && HasOverlappedIoCompleted(&stream->end.operation)) {
            close_pipe(stream);
        }
    }
    for (uint32_t at = 0;
         (stream = win32_slot_table_next(&platform->streams->streams, &at)) != NULL;) {
        if (is_in_our_hands(stream)) {
            WaitForSingleObject(stream->elsewhere, INFINITE);
        }
    }
}

/* ---- Going on ---- */

static int watch_again(struct pipe_end *end, struct baton_cause *cause) {
    return end->handle == NULL || end->watch.registration != NULL
               ? BATON_OK
               : win32_watch_start(&end->watch, end->event, cause);
}

/* A socket's registration may be the other process's by now. */
static int go_on_with_stream(struct platform_stream *stream, struct baton_cause *cause) {
    win32_stream_report(stream);
    if (stream->kind != STREAM_SOCKET) {
        return win32_stream_watch(stream, cause);
    }
    return WSAEventSelect(stream->socket, stream->end.event, FD_READ | FD_WRITE | FD_CLOSE) == 0
               ? BATON_OK
               : win32_cause_of(cause, "WSAEventSelect", (DWORD)WSAGetLastError());
}

static int go_on_with_source(const struct source *source, struct baton_cause *cause) {
    struct platform_listener *listener = source->object;
    if (source->kind == SOURCE_CONTROL) {
        return win32_control_go_on(source->object, cause);
    }
    return source->kind != SOURCE_LISTENER || listener->watch.registration != NULL
               ? BATON_OK
               : win32_watch_start(&listener->watch, listener->event, cause);
}

int win32_go_on(struct platform *platform, struct baton_cause *cause) {
    int code = BATON_OK, one;
    struct platform_process *process;
    for (uint32_t at = 0; (process = win32_slot_table_next(&platform->processes, &at)) != NULL;) {
        if (process->breaks_again && !process->exited) {
            (void)win32_break_ask(process); /* its time to end runs all the same */
        }
        process->breaks_again = false;
        one = process->exited ? BATON_OK : watch_again(&process->in, cause);
        code = one == BATON_OK ? code : one;
        win32_packet_post(platform->port, PACKET_CHANNEL, process->index, process->generation);
    }
    struct output_pipe *pipe;
    for (uint32_t at = 0; (pipe = win32_slot_table_next(&platform->pipes, &at)) != NULL;) {
        one = watch_again(&pipe->end, cause);
        code = one == BATON_OK ? code : one;
        win32_output_pipe_go_on(pipe);
    }
    struct platform_stream *stream;
    for (uint32_t at = 0;
         (stream = win32_slot_table_next(&platform->streams->streams, &at)) != NULL;) {
        one = go_on_with_stream(stream, cause);
        code = one == BATON_OK ? code : one;
    }
    for (size_t i = 0; i < platform->source_count; i++) {
        one = go_on_with_source(&platform->sources[i], cause);
        code = one == BATON_OK ? code : one;
    }
    return code;
}
