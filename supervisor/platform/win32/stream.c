#include "stream.h"

#include <stdlib.h>

int win32_streams_create(struct platform *platform, size_t limit, size_t process_count) {
    size_t count = limit + process_count;
    struct stream_table *table = calloc(1, sizeof *table);
    platform->streams = table;
    if (table == NULL) {
        return BATON_NO_MEMORY;
    }
    table->limit = (uint32_t)limit;
    int code = win32_slot_table_create(&table->streams, count, sizeof(struct platform_stream));
    table->buffers = VirtualAlloc(NULL, count * STREAM_BUFFER_BYTES, MEM_RESERVE, PAGE_READWRITE);
    return table->buffers == NULL ? BATON_NO_MEMORY : code;
}

void win32_streams_clear(struct platform *platform) {
    struct stream_table *table = platform->streams;
    platform->streams = NULL;
    if (table == NULL) {
        return;
    }
    struct platform_stream *stream;
    for (uint32_t at = 0; (stream = win32_slot_table_next(&table->streams, &at)) != NULL;) {
        if (stream->kind == STREAM_SOCKET) {
            win32_stream_socket_close(stream);
        }
        win32_pipe_close(&stream->end);
    }
    if (table->buffers != NULL) {
        VirtualFree(table->buffers, 0, MEM_RELEASE);
    }
    win32_slot_table_clear(&table->streams);
    free(table);
}

char *win32_stream_buffer(const struct platform_stream *stream) {
    return stream->platform->streams->buffers + (size_t)stream->index * STREAM_BUFFER_BYTES;
}

void win32_stream_report(const struct platform_stream *stream) {
    win32_packet_post(stream->platform->port, PACKET_STREAM, stream->index, stream->generation);
}

void win32_streams_report(const struct platform *platform) {
    const struct platform_stream *stream;
    for (uint32_t at = 0;
         (stream = win32_slot_table_next(&platform->streams->streams, &at)) != NULL;) {
        win32_stream_report(stream);
    }
}

struct platform_stream *win32_stream_take(struct platform *platform, enum stream_kind kind,
                                          uint64_t token, struct baton_cause *cause) {
    struct stream_table *table = platform->streams;
    if (table->open_count >= table->limit) {
        return NULL;
    }
    uint32_t index = win32_slot_table_take(&table->streams, cause);
    if (index == SLOT_NONE) {
        return NULL;
    }
    struct platform_stream *stream = win32_slot_table_at(&table->streams, index);
    uint32_t generation = win32_slot_table_generation(&table->streams, index);
    *stream = (struct platform_stream){.platform = platform,
                                       .token = token,
                                       .index = index,
                                       .generation = generation,
                                       .kind = kind,
                                       .socket = INVALID_SOCKET};
    stream->end.watch = (struct watch){platform->port, NULL, PACKET_STREAM, index, generation};
    /* What was committed for the place before is kept, and this does nothing then. */
    if (kind != STREAM_SOCKET && VirtualAlloc(win32_stream_buffer(stream), STREAM_BUFFER_BYTES,
                                              MEM_COMMIT, PAGE_READWRITE) == NULL) {
        win32_cause_last(cause, "VirtualAlloc");
        slots_give(&table->streams.slots, index);
        return NULL;
    }
    table->open_count++;
    return stream;
}

void win32_stream_release(struct platform_stream *stream) {
    struct stream_table *table = stream->platform->streams;
    if (stream->elsewhere != NULL && stream->end.started) { /* our own thread, which ends by that */
        CancelIoEx(stream->end.handle, &stream->end.operation);
        WaitForSingleObject(stream->elsewhere, INFINITE);
    }
    win32_pipe_close(&stream->end);
    if (stream->elsewhere != NULL) {
        CloseHandle(stream->elsewhere);
    }
    if (!stream->is_orphan) {
        table->open_count--;
    }
    slots_give(&table->streams.slots, stream->index);
}

bool win32_stream_packet(struct platform *platform, uint32_t index, uint32_t generation,
                         struct platform_event *event) {
    struct platform_stream *stream =
        win32_slot_table_find(&platform->streams->streams, index, generation);
    if (stream == NULL) {
        return false;
    }
    *event = (struct platform_event){PLATFORM_EVENT_STREAM, stream->token};
    return stream->kind == STREAM_SOCKET ? win32_stream_socket_event(stream)
                                         : win32_stream_pipe_event(stream);
}

int platform_stream_open(struct platform *platform, struct platform_socket socket, uint64_t token,
                         struct platform_stream **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    return win32_stream_socket_open(platform, socket, token, out, cause);
}

int platform_stream_read(struct platform_stream *stream, void *buffer, size_t capacity,
                         size_t *length, struct baton_cause *cause) {
    *length = 0;
    *cause = (struct baton_cause){NULL, 0};
    int code = stream->kind == STREAM_SOCKET
                   ? win32_stream_socket_read(stream, buffer, capacity, length, cause)
                   : win32_stream_pipe_read(stream, buffer, capacity, length, cause);
    stream->wants_read = code == BATON_AGAIN;
    return code;
}

/* As for a read, what is recorded for it is told as soon as it holds. */
int platform_stream_await(struct platform_stream *stream) {
    int code = win32_stream_socket_await(stream);
    stream->wants_read = code == BATON_AGAIN;
    return code;
}

int platform_stream_write(struct platform_stream *stream, const void *bytes, size_t length,
                          size_t *written, struct baton_cause *cause) {
    *written = 0;
    *cause = (struct baton_cause){NULL, 0};
    int code = stream->kind == STREAM_SOCKET
                   ? win32_stream_socket_write(stream, bytes, length, written, cause)
                   : win32_stream_pipe_write(stream, bytes, length, written, cause);
    stream->wants_write = code == BATON_AGAIN;
    return code;
}

/* What is under way is looked at by each call. */
bool platform_stream_is_busy(const struct platform_stream *stream) {
    (void)stream;
    return false;
}

void platform_stream_finish(struct platform_stream *stream) {
    if (stream->finished) {
        return;
    }
    stream->finished = true;
    if (stream->kind == STREAM_SOCKET) {
        shutdown(stream->socket, SD_SEND);
    } else if (stream->kind == STREAM_TO_PROGRAM) {
        win32_stream_pipe_finish(stream);
    }
}

void platform_stream_close(struct platform_stream **address) {
    struct platform_stream *stream = *address;
    *address = NULL;
    if (stream == NULL) {
        return;
    }
    if (stream->kind == STREAM_SOCKET) {
        win32_stream_socket_close(stream);
        win32_stream_release(stream);
    } else {
        win32_stream_pipe_close(stream);
    }
}
