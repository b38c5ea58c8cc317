/*
 * The pipes of a pump as streams.
 *
 * Our end is an open file of its own, on which O_NONBLOCK is ours alone (pipe(7)); but the lock of
 * the pipe belongs to both ends, so it is a carrier that reads and writes (carriers.h). Only
 * poll(2) does not take it, and when that says that nobody has the other end, there is nobody to
 * wait for.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

static struct platform_stream *stream_of(struct carrier_job *job) {
    return (struct platform_stream *)(void *)((char *)job - offsetof(struct platform_stream, job));
}

/* An event, if anybody waits. */
static void tell(struct platform *platform, struct platform_stream *stream) {
    bool waits = stream->read_waits || stream->write_waits;
    stream->read_waits = stream->write_waits = false;
    if (waits) {
        posix_due_add(platform, &stream->due, &stream->watch);
    }
}

static void begin(struct platform_stream *stream, carrier_work *work, carrier_done *done,
                  const void *bytes, size_t length) {
    struct carrier_job *job = &stream->job;
    job->work = work;
    job->done = done;
    job->bytes = bytes;
    job->length = length < CARRIER_BYTES ? length : CARRIER_BYTES;
    if (!posix_carriers_give(stream->platform, job)) {
        stream->read_waits = true; /* it is asked for again at once */
        tell(stream->platform, stream);
    }
}

/* What was said instead of a number of bytes. True if the pipe is as it was. */
static bool is_as_before(int code) {
    return code == EAGAIN || code == EINTR;
}

/* ---- Reading ---- */

static bool read_done(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                      ssize_t result, int code) {
    struct platform_stream *stream = stream_of(job);
    if (result > 0 && !posix_fetched_put(&stream->fetched, bytes, (size_t)result)) {
        return false;
    }
    stream->is_broken = result < 0 && !is_as_before(code);
    tell(platform, stream);
    return true;
}

/* Nobody can write any more. */
static int read_rest(struct platform_stream *stream, void *buffer, size_t capacity, size_t *length,
                     struct baton_cause *cause) {
    ssize_t got = read(stream->watch.descriptor, buffer, capacity);
    if (got > 0) {
        *length = (size_t)got;
        return BATON_OK;
    }
    return got == 0 ? BATON_END : posix_stream_broken(cause, "read", errno);
}

int posix_stream_pipe_read(struct platform_stream *stream, void *buffer, size_t capacity,
                           size_t *length, struct baton_cause *cause) {
    if (stream->fetched.bytes != NULL) {
        *length = posix_fetched_take(&stream->fetched, buffer, capacity);
        return BATON_OK;
    }
    if (stream->is_broken) {
        return posix_stream_broken(cause, "read", EIO);
    }
    if (stream->job.state == CARRIER_JOB_NONE) {
        short state = posix_look(stream->watch.descriptor, POLLIN);
        if ((state & POLLHUP) != 0) {
            return read_rest(stream, buffer, capacity, length, cause);
        }
        if ((state & POLLIN) != 0) {
            begin(stream, posix_carrier_read, read_done, NULL, capacity);
        }
    }
    stream->read_waits = true;
    return BATON_AGAIN;
}

/* ---- Writing ---- */

static ssize_t write_work(int descriptor, uint8_t *bytes, size_t length) {
    return write(descriptor, bytes, length);
}

static bool write_done(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                       ssize_t result, int code) {
    struct platform_stream *stream = stream_of(job);
    (void)bytes;
    stream->written_bytes = result > 0 ? (size_t)result : 0;
    stream->is_broken = result < 0 && !is_as_before(code);
    tell(platform, stream);
    return true;
}

int posix_stream_pipe_write(struct platform_stream *stream, const void *bytes, size_t length,
                            size_t *written, struct baton_cause *cause) {
    if (stream->written_bytes > 0) {
        *written = stream->written_bytes;
        stream->written_bytes = 0;
        return BATON_OK;
    }
    if (stream->job.state == CARRIER_JOB_NONE) {
        short state = posix_look(stream->watch.descriptor, POLLOUT);
        if (stream->is_broken || (state & POLLERR) != 0) {
            return posix_stream_broken(cause, "write", EPIPE);
        }
        if ((state & POLLOUT) != 0) {
            begin(stream, write_work, write_done, bytes, length);
        }
    }
    stream->write_waits = true;
    return BATON_AGAIN;
}

/* ---- The end ---- */

void posix_stream_pipe_close(struct platform_stream *stream) {
    if (stream->watch.descriptor < 0) {
        return; /* it is finished */
    }
    posix_due_forget(stream->platform, &stream->due);
    posix_carriers_need_no_more(stream->platform);
    posix_watch_forget(stream->platform, &stream->watch);
    stream->watch.descriptor = -1;
    stream->watch.wanted = 0;
    posix_carriers_drop(stream->platform, &stream->job);
    posix_fetched_clear(&stream->fetched);
}
