/* Streams: what the supervisor itself reads and writes, over flows of bytes. */
#include "platform/fake/internal.h"

#include <string.h>

/* Calls that may say AGAIN without an event, or a change of the world, between them. */
#define VAIN_COUNT 20u

/* ---- Flows ---- */

size_t fake_flow_unread(const struct fake_flow *flow) {
    return flow->bytes.length - flow->taken;
}

size_t fake_flow_put(struct fake_flow *flow, const void *bytes, size_t length) {
    size_t put = length < flow->room ? length : flow->room;
    if (flow->room != SIZE_MAX) {
        flow->room -= put;
    }
    fake_text_append(&flow->bytes, bytes, put);
    return put;
}

size_t fake_flow_take(struct fake_flow *flow, void *buffer, size_t capacity) {
    size_t unread = fake_flow_unread(flow);
    size_t taken = capacity < unread ? capacity : unread;
    if (taken > 0) {
        memcpy(buffer, flow->bytes.bytes + flow->taken, taken);
    }
    flow->taken += taken;
    return taken;
}

/* ---- Opening and closing ---- */

uint32_t fake_stream_count(void) {
    return fake_world.stream_count;
}

const struct fake_stream *fake_stream(uint32_t stream) {
    return &fake_world.streams[stream]->face;
}

uint32_t fake_open_stream_count(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_world.stream_count; i++) {
        count += fake_world.streams[i]->face.is_open ? 1 : 0;
    }
    return count;
}

struct platform_stream *fake_stream_make(const struct fake_stream *face, struct fake_flow *in,
                                         struct fake_flow *out) {
    struct fake_world *w = &fake_world;
    struct platform_stream *s = fake_allocate(sizeof *s);
    *s = (struct platform_stream){.face = *face, .in = in, .out = out};
    s->face.is_open = true;
    w->streams = fake_grow(w->streams, w->stream_count, &w->stream_capacity, sizeof(void *));
    w->streams[w->stream_count++] = s;
    return s;
}

int platform_stream_open(struct platform *platform, struct platform_socket socket, uint64_t token,
                         struct platform_stream **out, struct baton_cause *cause) {
    struct fake_peer *peer = fake_peer_of(socket);
    *out = NULL;
    int code = fake_try(FAKE_STREAM, cause);
    (void)platform;
    if (code == BATON_OK && fake_open_stream_count() >= PLATFORM_STREAM_COUNT_MAX) {
        code = BATON_SHORTAGE;
    }
    if (code != BATON_OK || peer == NULL) {
        return peer == NULL ? BATON_SYSTEM : code;
    }
    peer->is_watched = true;
    *out = fake_stream_make(&(struct fake_stream){.token = token,
                                                  .client = (uint32_t)socket.value - 1,
                                                  .process = FAKE_NONE},
                            &peer->sent, &peer->received);
    return BATON_OK;
}

void platform_stream_close(struct platform_stream **stream) {
    struct platform_stream *closing = *stream;
    if (closing == NULL) {
        return;
    }
    *stream = NULL;
    if (!closing->face.is_open) {
        fake_wrong("a stream was closed twice");
        return;
    }
    closing->face.is_open = false;
    if (closing->face.client != FAKE_NONE) {
        fake_world.clients[closing->face.client]->is_watched = false;
    } else if (closing->face.is_input) {
        closing->out->ended = true;
    } else {
        closing->in->broken = true;
    }
}

/* ---- Reading and writing ---- */

void fake_set_chunk(size_t most_bytes) {
    fake_world.chunk_bytes = most_bytes;
}

static size_t chunk_of(size_t length) {
    size_t most = fake_world.chunk_bytes < length ? fake_world.chunk_bytes : length;
    return fake_world.shuffle == 0 ? most : 1 + (size_t)(fake_draw(&fake_world.shuffle) % most);
}

static int say_again(struct platform_stream *stream, bool *wanted) {
    *wanted = true;
    if (stream->vain_change != fake_world.change_count) {
        stream->vain_change = fake_world.change_count;
        stream->vain_count = 0;
    }
    if (++stream->vain_count > VAIN_COUNT) {
        fake_wrong("a stream is asked again and again, without an event");
        return BATON_GONE;
    }
    return BATON_AGAIN;
}

int platform_stream_read(struct platform_stream *stream, void *buffer, size_t capacity,
                         size_t *length, struct baton_cause *cause) {
    struct fake_flow *in = stream->in;
    *cause = (struct baton_cause){0};
    *length = 0;
    if (!stream->face.is_open || in == NULL || capacity == 0) {
        fake_wrong("a stream was read from that is closed, or leads the other way, or for nothing");
        return BATON_SYSTEM;
    }
    if (in->broken || in->lost) {
        *cause = (struct baton_cause){"fake read", 104};
        return BATON_GONE;
    }
    *length = fake_flow_take(in, buffer, chunk_of(capacity));
    if (*length > 0) {
        return BATON_OK;
    }
    return in->ended ? BATON_END : say_again(stream, &stream->read_wanted);
}

int platform_stream_await(struct platform_stream *stream) {
    const struct fake_flow *in = stream->in;
    if (!stream->face.is_open || in == NULL || stream->face.client == FAKE_NONE) {
        fake_wrong("a stream was awaited that is closed, or is no socket's");
        return BATON_GONE;
    }
    if (in->broken) {
        return BATON_GONE;
    }
    return in->ended || fake_flow_unread(in) > 0 ? BATON_OK
                                                 : say_again(stream, &stream->read_wanted);
}

int platform_stream_write(struct platform_stream *stream, const void *bytes, size_t length,
                          size_t *written, struct baton_cause *cause) {
    struct fake_flow *out = stream->out;
    *cause = (struct baton_cause){0};
    *written = 0;
    if (!stream->face.is_open || out == NULL || length == 0 || stream->is_finished) {
        fake_wrong("a stream was written to that is closed, or finished, or leads the other way, "
                   "or nothing was written");
        return BATON_SYSTEM;
    }
    if (out->broken) {
        *cause = (struct baton_cause){"fake write", 32};
        return BATON_GONE;
    }
    *written = fake_flow_put(out, bytes, chunk_of(length));
    return *written > 0 ? BATON_OK : say_again(stream, &stream->write_wanted);
}

bool platform_stream_is_busy(const struct platform_stream *stream) {
    return fake_world.pipes_are_busy && stream->face.process != FAKE_NONE;
}

void fake_set_busy(bool busy) {
    fake_world.pipes_are_busy = busy;
}

void platform_stream_finish(struct platform_stream *stream) {
    if (!stream->face.is_open || stream->out == NULL) {
        fake_wrong("a stream was finished that is closed, or leads the other way");
        return;
    }
    stream->is_finished = true;
    stream->out->ended = true;
    if (stream->face.client != FAKE_NONE) {
        fake_world.clients[stream->face.client]->face.got_end = true;
    }
}

bool fake_stream_report(struct platform_stream *stream) {
    const struct fake_flow *in = stream->in;
    const struct fake_flow *out = stream->out;
    bool readable =
        stream->read_wanted && (in->broken || in->lost || in->ended || fake_flow_unread(in) > 0);
    bool writable = stream->write_wanted && (out->broken || out->room > 0);
    if (!stream->face.is_open || (!readable && !writable)) {
        return false;
    }
    stream->read_wanted = stream->read_wanted && !readable;
    stream->write_wanted = stream->write_wanted && !writable;
    stream->vain_count = 0;
    return true;
}

/* ---- The program's side of its pipes ---- */

int fake_program_read(uint32_t process, void *buffer, size_t capacity, size_t *length) {
    struct fake_flow *input = &fake_world.processes[process]->input;
    *length = fake_flow_take(input, buffer, capacity);
    input->room += *length;
    if (*length > 0) {
        return BATON_OK;
    }
    return input->ended ? BATON_END : BATON_AGAIN;
}

bool fake_program_write(uint32_t process, const void *bytes, size_t length) {
    struct fake_flow *output = &fake_world.processes[process]->output;
    if (output->broken || output->ended) {
        return false;
    }
    fake_flow_put(output, bytes, length);
    return true;
}

size_t fake_program_unread_bytes(uint32_t process) {
    return fake_flow_unread(&fake_world.processes[process]->output);
}

void fake_program_close_input(uint32_t process) {
    fake_world.processes[process]->input.broken = true;
}

void fake_program_close_output(uint32_t process) {
    fake_world.processes[process]->output.ended = true;
}

void fake_program_lose_output(uint32_t process) {
    fake_world.processes[process]->output.lost = true;
}

void fake_program_leave_pipes(uint32_t process) {
    fake_world.processes[process]->leaves_pipes = true;
}
