/*
 * The pipes of a program that is pumped. Reads go on only when the caller asks, so what a program
 * writes faster than it is read stays in the pipe and the program waits. A write is done when the
 * bytes are in our buffer; the pipe has them when the operation has ended.
 */
#include "stream.h"

#include <string.h>

/* What waits in the system between the two ends, beside our own buffer. */
#define PIPE_BYTES 65536
#define EMPTY_READS_IN_A_ROW 64

int win32_stream_pipe_open(struct platform *platform, enum stream_kind kind, uint64_t token,
                           struct platform_stream **out, HANDLE *theirs,
                           struct baton_cause *cause) {
    *out = NULL;
    *theirs = INVALID_HANDLE_VALUE;
    struct platform_stream *stream = win32_stream_take(platform, kind, token, cause);
    if (stream == NULL) {
        return BATON_SHORTAGE;
    }
    enum pipe_direction direction = kind == STREAM_FROM_PROGRAM ? PIPE_TO_US : PIPE_FROM_US;
    int code = win32_pipe_open(&stream->end, direction, PIPE_BYTES, theirs, cause);
    if (code == BATON_OK) {
        code = win32_watch_start(&stream->end.watch, stream->end.event, cause);
        if (code != BATON_OK) {
            CloseHandle(*theirs);
            *theirs = INVALID_HANDLE_VALUE;
        }
    }
    if (code != BATON_OK) {
        win32_stream_release(stream);
        return code == BATON_NO_MEMORY ? BATON_SHORTAGE : code;
    }
    *out = stream;
    return BATON_OK;
}

/* Nobody will tell more of a pipe that broke in an unusual way. */
static int code_of_break(int code) {
    return code == BATON_OK || code == BATON_AGAIN || code == BATON_END ? code : BATON_GONE;
}

/* True also for a broken pipe: the next read tells of it. */
static bool has_bytes(const struct pipe_end *end) {
    DWORD waiting_bytes = 0;
    return !PeekNamedPipe(end->handle, NULL, 0, NULL, &waiting_bytes, NULL) || waiting_bytes > 0;
}

/* Takes the result of the read under way, or of one that is started now. */
static int read_once(struct platform_stream *stream, DWORD *moved, struct baton_cause *cause) {
    int code = BATON_OK;
    *moved = 0;
    if (!stream->end.started) {
        code =
            win32_pipe_read(&stream->end, win32_stream_buffer(stream), STREAM_BUFFER_BYTES, cause);
    }
    return code == BATON_OK ? win32_pipe_result(&stream->end, moved, cause) : code;
}

/* A program may write nothing, which a pipe passes on as a read of 0 bytes. Bytes may lie behind
 * that, and after the program's end BATON_AGAIN is taken for the end of its output: so it is said
 * only when there are none. Who goes on to write nothing gets no more than its turn. */
static int fill(struct platform_stream *stream, struct baton_cause *cause) {
    DWORD moved;
    int reads = 0;
    int code;
    do {
        code = read_once(stream, &moved, cause);
        reads++;
    } while (code == BATON_OK && moved == 0 &&
             (reads < EMPTY_READS_IN_A_ROW || has_bytes(&stream->end)));
    stream->have_bytes = moved;
    stream->taken_bytes = 0;
    if (code == BATON_OK && moved == 0) {
        win32_stream_report(stream);
        return BATON_AGAIN;
    }
    return code_of_break(code);
}

int win32_stream_pipe_read(struct platform_stream *stream, void *buffer, size_t capacity,
                           size_t *length, struct baton_cause *cause) {
    int code = BATON_OK;
    if (stream->kind != STREAM_FROM_PROGRAM) {
        return BATON_END;
    }
    if (stream->taken_bytes == stream->have_bytes) {
        code = fill(stream, cause);
    }
    if (code == BATON_OK) {
        size_t left_bytes = stream->have_bytes - stream->taken_bytes;
        *length = left_bytes < capacity ? left_bytes : capacity;
        memcpy(buffer, win32_stream_buffer(stream) + stream->taken_bytes, *length);
        stream->taken_bytes += *length;
    }
    return code;
}

bool win32_stream_is_writing(const struct platform_stream *stream) {
    return stream->elsewhere != NULL ||
           (stream->end.started && !HasOverlappedIoCompleted(&stream->end.operation));
}

int win32_stream_watch(struct platform_stream *stream, struct baton_cause *cause) {
    struct pipe_end *end = &stream->end;
    return end->handle == NULL || end->watch.registration != NULL ? BATON_OK
           : stream->elsewhere != NULL
               ? win32_watch_end(&end->watch, stream->elsewhere, INFINITE, cause)
               : win32_watch_start(&end->watch, end->event, cause);
}

/* The write of before a restart, if there is one, has ended. */
static int take_elsewhere(struct platform_stream *stream, struct baton_cause *cause) {
    if (stream->elsewhere == NULL) {
        return BATON_OK;
    }
    if (WaitForSingleObject(stream->elsewhere, 0) != WAIT_OBJECT_0) {
        return BATON_AGAIN;
    }
    win32_watch_stop(&stream->end.watch);
    CloseHandle(stream->elsewhere);
    stream->elsewhere = NULL;
    return win32_stream_watch(stream, cause);
}

/* BATON_OK when no write is under way any more and the last one was no failure. */
static int settle(struct platform_stream *stream, struct baton_cause *cause) {
    DWORD moved;
    int code = take_elsewhere(stream, cause);
    if (code != BATON_OK) {
        return code;
    }
    return stream->end.started ? win32_pipe_result(&stream->end, &moved, cause) : BATON_OK;
}

int win32_stream_pipe_write(struct platform_stream *stream, const void *bytes, size_t length,
                            size_t *written, struct baton_cause *cause) {
    if (stream->kind != STREAM_TO_PROGRAM || stream->finished) {
        return BATON_GONE;
    }
    int code = settle(stream, cause);
    if (code == BATON_AGAIN) {
        return BATON_AGAIN;
    }
    size_t piece_bytes = length < STREAM_BUFFER_BYTES ? length : STREAM_BUFFER_BYTES;
    if (code == BATON_OK) {
        memcpy(win32_stream_buffer(stream), bytes, piece_bytes);
        code =
            win32_pipe_write(&stream->end, win32_stream_buffer(stream), (DWORD)piece_bytes, cause);
    }
    if (code != BATON_OK) {
        return BATON_GONE;
    }
    *written = piece_bytes;
    return BATON_OK;
}

/* Closing breaks off a write that is under way, but what is in the pipe can be read to its end
 * (Wine 8 was seen to do both). DisconnectNamedPipe() would drop that, and FlushFileBuffers() would
 * block until it is read.
 * https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-disconnectnamedpipe */
void win32_stream_pipe_finish(struct platform_stream *stream) {
    struct baton_cause ignored;
    if (settle(stream, &ignored) != BATON_AGAIN) {
        win32_pipe_close(&stream->end);
    }
}

bool win32_stream_pipe_event(struct platform_stream *stream) {
    struct baton_cause ignored;
    if (take_elsewhere(stream, &ignored) == BATON_AGAIN) {
        return false;
    }
    if (stream->end.started && !HasOverlappedIoCompleted(&stream->end.operation)) {
        return false;
    }
    bool wanted = stream->wants_read || stream->wants_write;
    stream->wants_read = false;
    stream->wants_write = false;
    if (stream->is_orphan) {
        win32_stream_release(stream);
    } else if (stream->finished && stream->kind == STREAM_TO_PROGRAM) {
        win32_stream_pipe_finish(stream);
    }
    return wanted;
}

/* What was written still arrives, as on POSIX, where the system has it by now: the place stays
 * taken until the program has read it, or has ended. */
void win32_stream_pipe_close(struct platform_stream *stream) {
    struct baton_cause ignored;
    if (stream->kind == STREAM_TO_PROGRAM && stream->end.handle != NULL &&
        settle(stream, &ignored) == BATON_AGAIN) {
        stream->wants_write = false;
        stream->is_orphan = true;
        stream->platform->streams->open_count--;
    } else {
        win32_stream_release(stream);
    }
}
