/*
 * The loop: one epoll(7), level-triggered except for streams.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH_COUNT 64

void close_descriptor(int *descriptor) {
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

void source_init(struct source *source, enum source_kind kind, uint64_t token) {
    *source = (struct source){.kind = kind, .descriptor = -1, .token = token};
}

int source_watch(struct platform *platform, struct source *source, uint32_t wanted) {
    if (source->registered && source->wanted == wanted) {
        return 0;
    }
    if (!source->registered && wanted == 0) {
        source->wanted = 0;
        return 0;
    }
    struct epoll_event event = {.events = wanted, .data.ptr = source};
    int operation = source->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(platform->epoll, operation, source->descriptor, &event) != 0) {
        return errno;
    }
    source->registered = true;
    source->wanted = wanted;
    return 0;
}

void source_forget(struct platform *platform, struct source *source) {
    if (source->registered) {
        /* close() alone would not do: the registration belongs to the open file, of which a child
         * may hold a duplicate until it has called execve. */
        epoll_ctl(platform->epoll, EPOLL_CTL_DEL, source->descriptor, NULL);
        source->registered = false;
    }
}

void source_close(struct platform *platform, struct source *source) {
    source_forget(platform, source);
    source->wanted = 0;
    close_descriptor(&source->descriptor);
}

/* Writes the events of one report, at most `room` (at least 1). What does not fit is reported
 * again: of the level-triggered sources it holds on, and a stream has one event only. */
static size_t translate(struct platform *platform, struct source *source, uint32_t report,
                        struct platform_event *events, size_t room) {
    size_t count = 0;
    if (source->kind == SOURCE_SIGNAL) {
        signals_read(platform);
        return 0;
    }
    if (source->kind == SOURCE_STREAM) {
        if (!stream_takes_news((struct platform_stream *)source, report)) {
            return 0;
        }
        events[0] = (struct platform_event){PLATFORM_EVENT_STREAM, source->token};
        return 1;
    }
    if (source->wanted == 0) {
        /* Paused; hang-ups cannot be masked, so the kernel must not be asked again. */
        source_forget(platform, source);
        return 0;
    }
    /* An error or a hang-up is news to whoever reads and to whoever writes. */
    uint32_t news = report | ((report & (EPOLLERR | EPOLLHUP)) != 0 ? source->wanted : 0);
    news &= source->wanted;
    if ((news & EPOLLIN) != 0) {
        static const enum platform_event_kind reading[] = {
            [SOURCE_LISTENER] = PLATFORM_EVENT_ACCEPT,
            [SOURCE_CHANNEL] = PLATFORM_EVENT_CHANNEL,
            [SOURCE_OUTPUT] = PLATFORM_EVENT_OUTPUT,
        };
        events[count++] = (struct platform_event){reading[source->kind], source->token};
    }
    if ((news & EPOLLOUT) != 0 && count < room) {
        /* Told once: whoever does not repeat the call must not make the loop spin. */
        if (source_watch(platform, source, source->wanted & ~(uint32_t)EPOLLOUT) != 0) {
            source_forget(platform, source);
        }
        events[count++] = (struct platform_event){
            source->kind == SOURCE_LOG ? PLATFORM_EVENT_LOG_WRITABLE : PLATFORM_EVENT_WRITABLE,
            source->token};
    }
    return count;
}

/* What is due without asking epoll. */
static size_t collect_due(struct platform *platform, struct platform_event *events,
                          size_t capacity) {
    size_t count = 0;
    if (platform->stop_pending) {
        platform->stop_pending = false;
        events[count++] = (struct platform_event){PLATFORM_EVENT_STOP, 0};
    }
    if (platform->log_ready && count < capacity) {
        platform->log_ready = false;
        events[count++] = (struct platform_event){PLATFORM_EVENT_LOG_WRITABLE, 0};
    }
    return count + processes_reap(platform, events + count, capacity - count);
}

/* epoll_wait(2) counts milliseconds: rounded up, so that it never returns before the deadline. */
int timeout_ms(struct platform *platform, uint64_t deadline_us) {
    if (deadline_us == PLATFORM_WAIT_FOREVER) {
        return -1;
    }
    uint64_t now_us = platform_now_us(platform);
    if (deadline_us <= now_us) {
        return 0;
    }
    uint64_t left_ms = (deadline_us - now_us - 1) / 1000 + 1;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

int platform_wait(struct platform *platform, struct platform_event *events, size_t capacity,
                  uint64_t deadline_us, struct baton_cause *cause) {
    if (capacity > BATCH_COUNT) {
        capacity = BATCH_COUNT;
    }
    bool was_late = false;
    for (;;) {
        size_t count = collect_due(platform, events, capacity);
        if (count == capacity) {
            return (int)count;
        }
        struct epoll_event batch[BATCH_COUNT];
        bool busy = count > 0 || platform->children_pending;
        int timeout = busy ? 0 : timeout_ms(platform, deadline_us);
        int got = epoll_wait(platform->epoll, batch, (int)(capacity - count), timeout);
        if (got < 0 && errno != EINTR) {
            failed(cause, "epoll_wait", errno);
            return BATON_SYSTEM;
        }
        for (int i = 0; i < got; i++) {
            /* A stream is not reported twice, so each of the batch keeps room for one event. */
            size_t others_count = (size_t)(got - i - 1);
            count += translate(platform, batch[i].data.ptr, batch[i].events, events + count,
                               capacity - count - others_count);
        }
        if (count > 0) {
            return (int)count;
        }
        /* What a signal has told is looked at even when it is late, but only once: strays may end
         * faster than they are reaped. */
        bool late = timeout_ms(platform, deadline_us) == 0;
        if (late && (got <= 0 || was_late)) {
            return 0;
        }
        was_late = late;
    }
}
