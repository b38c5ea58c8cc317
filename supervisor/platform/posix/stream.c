/*
 * Streams: what the supervisor itself reads and writes.
 *
 * A socket is asked with MSG_DONTWAIT (recv(2)) instead of being made non-blocking: its flags are
 * never anything but what a handler may expect, whenever the stream is closed. Pipes are in
 * stream_pipe.c.
 */
#include "core/base/table.h"
#include "platform/posix/held.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void give_slot(struct platform *platform, struct platform_stream *stream) {
    slots_give(&platform->stream_slots, (uint32_t)(stream - platform->streams));
}

/* What a socket has for as long as it is read here, and whoever gets it later has not: an urgent
 * byte stays in its place, where recv(2) would leave it out (tcp(7)); and on a local one no
 * descriptors. */
static void set_ours(const struct platform_stream *stream, bool ours) {
    if (stream->is_local) {
        posix_rights_allow(stream->watch.descriptor, !ours);
    } else {
        posix_set_option(stream->watch.descriptor, SOL_SOCKET, SO_OOBINLINE, ours);
    }
}

static void close_stream(struct platform_stream *stream) {
    if (stream->is_pipe) {
        posix_stream_pipe_close(stream);
    } else {
        posix_watch_forget(stream->platform, &stream->watch);
        set_ours(stream, false);
    }
    give_slot(stream->platform, stream);
}

int posix_streams_open(struct platform *platform, size_t stream_count) {
    platform->streams = table_create(stream_count, sizeof *platform->streams);
    return platform->streams == NULL ? BATON_NO_MEMORY
                                     : slots_init(&platform->stream_slots, (uint32_t)stream_count);
}

void posix_streams_close(struct platform *platform) {
    SLOTS_EACH(i, &platform->stream_slots) {
        close_stream(&platform->streams[i]);
    }
    slots_clear(&platform->stream_slots);
    free(platform->streams);
    platform->streams = NULL;
}

static int open_stream(struct platform *platform, int descriptor, uint32_t direction,
                       uint64_t token, struct platform_stream **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){0};
    uint32_t slot = slots_take(&platform->stream_slots);
    if (slot == SLOT_NONE) {
        return BATON_SHORTAGE;
    }
    struct platform_stream *stream = &platform->streams[slot];
    *stream = (struct platform_stream){.platform = platform};
    posix_watch_init(&stream->watch, POSIX_WATCH_STREAM, token);
    stream->watch.descriptor = descriptor;
    int result = posix_watch_begin(platform, &stream->watch, direction | EPOLLET, cause);
    if (result != BATON_OK) {
        give_slot(platform, stream);
        return result == BATON_SHORTAGE ? posix_short(platform) : result;
    }
    *out = stream;
    return BATON_OK;
}

int platform_stream_open(struct platform *platform, struct platform_socket socket, uint64_t token,
                         struct platform_stream **out, struct baton_cause *cause) {
    int descriptor = (int)socket.value;
    int result =
        open_stream(platform, descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP, token, out, cause);
    if (*out != NULL) {
        (*out)->is_local = posix_get_option(descriptor, SO_DOMAIN) == AF_UNIX;
        set_ours(*out, true);
    }
    return result;
}

int posix_stream_open_pipe(struct platform *platform, const struct platform_launch *launch,
                           bool is_input, int descriptor, struct platform_stream **out,
                           struct baton_cause *cause) {
    int result = posix_carriers_need(platform, cause);
    if (result != BATON_OK) {
        return result;
    }
    result = open_stream(platform, descriptor, is_input ? EPOLLOUT : EPOLLIN,
                         is_input ? launch->input_token : launch->output_token, out, cause);
    if (*out == NULL) {
        posix_carriers_need_no_more(platform);
        return result;
    }
    (*out)->is_pipe = true;
    (*out)->job = (struct carrier_job){.owner = launch->program, .descriptor = descriptor};
    return BATON_OK;
}

int posix_stream_adopt_finished(struct platform *platform, uint64_t token,
                                struct platform_stream **out) {
    uint32_t slot = slots_take(&platform->stream_slots);
    if (slot == SLOT_NONE) {
        return BATON_SHORTAGE;
    }
    struct platform_stream *stream = *out = &platform->streams[slot];
    *stream = (struct platform_stream){.platform = platform, .is_pipe = true};
    posix_watch_init(&stream->watch, POSIX_WATCH_STREAM, token);
    return BATON_OK;
}

bool posix_stream_takes_news(struct platform_stream *stream, uint32_t report) {
    const uint32_t broken = EPOLLERR | EPOLLHUP;
    if (stream->job.state != CARRIER_JOB_NONE) {
        return false; /* its end is told, and then it is looked at */
    }
    bool readable = stream->read_waits && (report & (EPOLLIN | EPOLLRDHUP | broken)) != 0;
    bool writable = stream->write_waits && (report & (EPOLLOUT | broken)) != 0;
    stream->read_waits = stream->read_waits && !readable;
    stream->write_waits = stream->write_waits && !writable;
    return readable || writable;
}

int posix_stream_broken(struct baton_cause *cause, const char *call, int code) {
    posix_failed_with(cause, call, code);
    return BATON_GONE;
}

int platform_stream_read(struct platform_stream *stream, void *buffer, size_t capacity,
                         size_t *length, struct baton_cause *cause) {
    int descriptor = stream->watch.descriptor;
    *length = 0;
    *cause = (struct baton_cause){0};
    if (stream->is_pipe) {
        return posix_stream_pipe_read(stream, buffer, capacity, length, cause);
    }
    ssize_t got;
    do {
        got = stream->is_local
                  ? posix_rights_receive(stream->platform, descriptor, buffer, capacity)
                  : recv(descriptor, buffer, capacity, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        *length = (size_t)got;
        return BATON_OK;
    }
    if (got == 0) {
        return BATON_END;
    }
    if (errno == EAGAIN) {
        stream->read_waits = true;
        return BATON_AGAIN;
    }
    return posix_stream_broken(cause, "recv", errno);
}

/* The flag comes first: what arrives behind the look is told. */
int platform_stream_await(struct platform_stream *stream) {
    stream->read_waits = true;
    short state = posix_look(stream->watch.descriptor, POLLIN | POLLRDHUP);
    if (state == 0) {
        return BATON_AGAIN;
    }
    stream->read_waits = false;
    return (state & POLLERR) != 0 ? BATON_GONE : BATON_OK;
}

int platform_stream_write(struct platform_stream *stream, const void *bytes, size_t length,
                          size_t *written, struct baton_cause *cause) {
    int descriptor = stream->watch.descriptor;
    *written = 0;
    *cause = (struct baton_cause){0};
    if (stream->is_pipe) {
        return posix_stream_pipe_write(stream, bytes, length, written, cause);
    }
    ssize_t put;
    do {
        put = send(descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    if (put >= 0) {
        *written = (size_t)put;
        return BATON_OK;
    }
    if (errno == EAGAIN) {
        stream->write_waits = true;
        return BATON_AGAIN;
    }
    return posix_stream_broken(cause, "send", errno);
}

void platform_stream_finish(struct platform_stream *stream) {
    if (!stream->is_pipe) {
        shutdown(stream->watch.descriptor, SHUT_WR);
    } else if ((stream->watch.wanted & EPOLLOUT) != 0) {
        posix_stream_pipe_close(stream);
    }
}

bool platform_stream_is_busy(const struct platform_stream *stream) {
    return stream->job.state != CARRIER_JOB_NONE || stream->fetched.bytes != NULL;
}

void platform_stream_close(struct platform_stream **stream) {
    if (*stream != NULL) {
        close_stream(*stream);
        *stream = NULL;
    }
}
