/*
 * The loop: one epoll(7), level-triggered except for streams.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH_COUNT 64

void posix_close_descriptor(int *descriptor) {
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

void posix_watch_init(struct posix_watch *watch, enum posix_watch_kind kind, uint64_t token) {
    *watch = (struct posix_watch){.kind = kind, .descriptor = -1, .token = token};
}

int posix_watch_set(struct platform *platform, struct posix_watch *watch, uint32_t wanted) {
    if (watch->registered && watch->wanted == wanted) {
        return 0;
    }
    if (!watch->registered && wanted == 0) {
        watch->wanted = 0;
        return 0;
    }
    struct epoll_event event = {.events = wanted, .data.ptr = watch};
    int operation = watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(platform->epoll, operation, watch->descriptor, &event) != 0) {
        return -1;
    }
    watch->registered = true;
    watch->wanted = wanted;
    return 0;
}

int posix_watch_begin(struct platform *platform, struct posix_watch *watch, uint32_t wanted,
                      struct baton_cause *cause) {
    return posix_watch_set(platform, watch, wanted) == 0 ? BATON_OK
                                                         : posix_failed(cause, "epoll_ctl");
}

void posix_watch_forget(struct platform *platform, struct posix_watch *watch) {
    if (watch->registered) {
        /* close() alone would not do: the registration belongs to the open file, of which a child
         * may hold a duplicate until it has called execve. */
        epoll_ctl(platform->epoll, EPOLL_CTL_DEL, watch->descriptor, NULL);
        watch->registered = false;
    }
}

void posix_watch_close(struct platform *platform, struct posix_watch *watch) {
    posix_watch_forget(platform, watch);
    watch->wanted = 0;
    posix_close_descriptor(&watch->descriptor);
}

/* Writes the events of one report, at most `room` (at least 1). What does not fit is reported
 * again: of the level-triggered sources it holds on, and a stream has one event only. */
static size_t translate(struct platform *platform, struct posix_watch *watch, uint32_t report,
                        struct platform_event *events, size_t room) {
    size_t count = 0;
    switch (watch->kind) {
    case POSIX_WATCH_SIGNAL:
        posix_signals_read(platform);
        return 0;
    case POSIX_WATCH_CHILDREN:
        posix_children_on_signal(platform);
        return 0;
    case POSIX_WATCH_CLOSER:
        closer_forget_news(platform->closer);
        platform->relief_pending = true;
        return 0;
    case POSIX_WATCH_CARRIER:
        posix_carriers_on_news(platform, watch);
        return 0;
    case POSIX_WATCH_OUTPUT:
        posix_outputs_take_reports(platform);
        return 0;
    case POSIX_WATCH_EXIT:
        return posix_process_take_end(watch, events) ? 1 : 0;
    case POSIX_WATCH_STREAM:
        if (!posix_stream_takes_news((struct platform_stream *)watch, report)) {
            return 0;
        }
        events[0] = (struct platform_event){PLATFORM_EVENT_STREAM, watch->token};
        return 1;
    default:
        break;
    }
    if (watch->wanted == 0) {
        /* Paused; hang-ups cannot be masked, so the kernel must not be asked again. */
        posix_watch_forget(platform, watch);
        return 0;
    }
    /* An error or a hang-up is news to whoever reads and to whoever writes. */
    uint32_t news = report | ((report & (EPOLLERR | EPOLLHUP)) != 0 ? watch->wanted : 0);
    news &= watch->wanted;
    if ((news & EPOLLIN) != 0) {
        static const enum platform_event_kind reading[] = {
            [POSIX_WATCH_LISTENER] = PLATFORM_EVENT_ACCEPT,
            [POSIX_WATCH_CHANNEL] = PLATFORM_EVENT_CHANNEL,
        };
        events[count++] = (struct platform_event){reading[watch->kind], watch->token};
    }
    if ((news & EPOLLOUT) != 0 && count < room) {
        /* Told once: whoever does not repeat the call must not make the loop spin. */
        if (posix_watch_set(platform, watch, watch->wanted & ~(uint32_t)EPOLLOUT) != 0) {
            posix_watch_forget(platform, watch);
        }
        events[count++] = (struct platform_event){
            watch->kind == POSIX_WATCH_LOG ? PLATFORM_EVENT_LOG_WRITABLE : PLATFORM_EVENT_WRITABLE,
            watch->token};
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
    if (platform->relief_pending && count < capacity) {
        platform->relief_pending = false;
        events[count++] = (struct platform_event){PLATFORM_EVENT_RELIEF, 0};
    }
    if (platform->hangup_pending && count < capacity) {
        platform->hangup_pending = false;
        events[count++] = (struct platform_event){PLATFORM_EVENT_HANGUP, 0};
    }
    if (platform->log_ready && count < capacity) {
        platform->log_ready = false;
        events[count++] = (struct platform_event){PLATFORM_EVENT_LOG_WRITABLE, 0};
    }
    count += posix_processes_tell_late(platform, events + count, capacity - count);
    count += posix_streams_tell(platform, events + count, capacity - count);
    count += posix_listeners_tell(platform, events + count, capacity - count);
    return count + posix_processes_reap(platform, events + count, capacity - count);
}

const char *platform_stop_reason(const struct platform *platform) {
    return platform->stop_reason;
}

/* epoll_wait(2) counts milliseconds: rounded up, so that it never returns before the deadline. */
int posix_timeout_ms(struct platform *platform, uint64_t deadline_us) {
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

/* What is to be done between two looks at epoll, and until when at the latest to wait. */
static uint64_t do_chores(struct platform *platform, uint64_t deadline_us) {
    uint64_t now_us = platform_now_us(platform);
    uint64_t again_us;
    closer_feed(platform->closer, now_us, &again_us);
    deadline_us = again_us < deadline_us ? again_us : deadline_us;
    again_us = posix_outputs_look(platform, now_us);
    deadline_us = again_us < deadline_us ? again_us : deadline_us;
    again_us = posix_processes_late_us(platform);
    deadline_us = again_us < deadline_us ? again_us : deadline_us;
    posix_carriers_feed(platform, now_us, &again_us);
    deadline_us = again_us < deadline_us ? again_us : deadline_us;
    return platform->children_due_us < deadline_us ? platform->children_due_us : deadline_us;
}

/* Waits for epoll until `until_us` at the latest, and writes the events. Returns their number, or a
 * negative errno; `*got_any`: epoll had something, be it no event. */
static int take_reports(struct platform *platform, struct platform_event *events, size_t capacity,
                        uint64_t until_us, bool *got_any) {
    struct epoll_event batch[BATCH_COUNT];
    size_t count = 0;
    int got =
        epoll_wait(platform->epoll, batch, (int)capacity, posix_timeout_ms(platform, until_us));
    if (got < 0) {
        *got_any = false;
        return errno == EINTR ? 0 : -errno;
    }
    *got_any = got > 0;
    for (int i = 0; i < got; i++) {
        /* A stream is not reported twice, so each of the batch keeps room for one event. */
        size_t others_count = (size_t)(got - i - 1);
        count += translate(platform, batch[i].data.ptr, batch[i].events, events + count,
                           capacity - count - others_count);
    }
    return (int)count;
}

int platform_wait(struct platform *platform, struct platform_event *events, size_t capacity,
                  uint64_t deadline_us, struct baton_cause *cause) {
    if (capacity > BATCH_COUNT) {
        capacity = BATCH_COUNT;
    }
    bool was_late = false;
    for (;;) {
        size_t count = collect_due(platform, events, capacity);
        /* By turns, so that neither output nor anything else takes all there is room for. */
        bool outputs_are_last = platform->outputs.are_last;
        platform->outputs.are_last = !outputs_are_last;
        if (!outputs_are_last) {
            count += posix_outputs_tell(platform, events + count, capacity - count);
        }
        if (count == capacity) {
            return (int)count;
        }
        bool got_any;
        uint64_t until_us = do_chores(platform, deadline_us);
        int more =
            take_reports(platform, events + count, capacity - count,
                         count > 0 || posix_outputs_are_ready(platform) ? 0 : until_us, &got_any);
        if (more < 0) {
            posix_failed_with(cause, "epoll_wait", -more);
            return BATON_SYSTEM;
        }
        count += (size_t)more;
        if (outputs_are_last) {
            count += posix_outputs_tell(platform, events + count, capacity - count);
        }
        if (count > 0) {
            return (int)count;
        }
        /* What a signal has told is looked at even when it is late, but only once: strays may end
         * faster than they are reaped. */
        bool late = posix_timeout_ms(platform, deadline_us) == 0;
        if (late && (!got_any || was_late)) {
            return 0;
        }
        was_late = late;
    }
}
