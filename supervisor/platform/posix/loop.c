/*
 * The loop: one epoll(7), level-triggered except for streams.
 */
#include "platform/posix/log.h"
#include "platform/posix/work.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH_COUNT 64

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

void posix_tell(struct told *told, enum platform_event_kind kind, uint64_t token) {
    told->events[told->count++] = (struct platform_event){kind, token};
}

/* Writes the events of one report; there is room for one at least, beside `others_count`. What does
 * not fit is reported again: of the level-triggered sources it holds on, and a stream has one event
 * only. */
static void translate(struct platform *platform, struct posix_watch *watch, uint32_t report,
                      struct told *told, size_t others_count) {
    switch (watch->kind) {
    case POSIX_WATCH_SIGNAL:
        posix_signals_read(platform);
        return;
    case POSIX_WATCH_CHILDREN:
        posix_children_on_signal(platform);
        return;
    case POSIX_WATCH_CLOSER:
        closer_forget_news(watch == &platform->closed ? platform->closer : platform->ender);
        platform->is_due[DUE_RELIEF] = true;
        return;
    case POSIX_WATCH_CARRIER:
        posix_carriers_on_news(platform, watch);
        return;
    case POSIX_WATCH_LAUNCHER:
        posix_launchers_on_end(platform, watch);
        return;
    case POSIX_WATCH_BELL:
        return;
    case POSIX_WATCH_WORK:
        posix_work_take_end(platform, told);
        return;
    case POSIX_WATCH_OUTPUT:
        posix_outputs_take_reports(platform);
        return;
    case POSIX_WATCH_FILES:
        posix_files_take_reports(platform);
        return;
    case POSIX_WATCH_EXIT:
        posix_process_take_end(watch, told);
        return;
    case POSIX_WATCH_STREAM:
        if (posix_stream_takes_news((struct platform_stream *)watch, report)) {
            posix_tell(told, PLATFORM_EVENT_STREAM, watch->token);
        }
        return;
    default:
        break;
    }
    if (watch->wanted == 0) {
        /* Paused; hang-ups cannot be masked, so the kernel must not be asked again. */
        posix_watch_forget(platform, watch);
        if (watch->kind == POSIX_WATCH_LISTENER && ((struct platform_listener *)watch)->is_shared) {
            posix_listener_lose((struct platform_listener *)watch);
        }
        return;
    }
    /* An error or a hang-up is news to whoever reads and to whoever writes. */
    uint32_t news = report | ((report & (EPOLLERR | EPOLLHUP)) != 0 ? watch->wanted : 0);
    news &= watch->wanted;
    if ((news & EPOLLIN) != 0) {
        posix_tell(told,
                   watch->kind == POSIX_WATCH_LISTENER ? PLATFORM_EVENT_ACCEPT
                                                       : PLATFORM_EVENT_CHANNEL,
                   watch->token);
    }
    if ((news & EPOLLOUT) != 0 && told->count + others_count < told->capacity) {
        /* Told once: whoever does not repeat the call must not make the loop spin. */
        if (posix_watch_set(platform, watch, watch->wanted & ~(uint32_t)EPOLLOUT) != 0) {
            posix_watch_forget(platform, watch);
        }
        posix_tell(told,
                   watch->kind == POSIX_WATCH_LOG ? PLATFORM_EVENT_LOG_WRITABLE
                                                  : PLATFORM_EVENT_WRITABLE,
                   watch->token);
    }
}

void posix_due_add(struct platform *platform, struct posix_due *due,
                   const struct posix_watch *watch) {
    if (due->watch == NULL) {
        due->watch = watch;
        due->next = platform->first_due;
        platform->first_due = due;
    }
}

void posix_due_forget(struct platform *platform, struct posix_due *due) {
    struct posix_due **link = &platform->first_due;
    while (due->watch != NULL && *link != due) {
        link = &(*link)->next;
    }
    if (due->watch != NULL) {
        *link = due->next;
        due->watch = NULL;
    }
}

static enum platform_event_kind event_of_due(enum posix_watch_kind kind) {
    switch (kind) {
    case POSIX_WATCH_STREAM:
        return PLATFORM_EVENT_STREAM;
    case POSIX_WATCH_FILES:
        return PLATFORM_EVENT_CHANGED;
    case POSIX_WATCH_CHANNEL:
        return PLATFORM_EVENT_MEASURED;
    default:
        return PLATFORM_EVENT_LOST;
    }
}

static void tell_dues(struct platform *platform, struct told *told) {
    struct posix_due *due;
    while (told->count < told->capacity && (due = platform->first_due) != NULL) {
        posix_tell(told, event_of_due(due->watch->kind), due->watch->token);
        posix_due_forget(platform, due);
    }
}

/* What is due without asking epoll. */
static void collect_due(struct platform *platform, struct told *told) {
    static const uint8_t events[DUE_COUNT] = {
        [DUE_STOP] = PLATFORM_EVENT_STOP,        [DUE_RELIEF] = PLATFORM_EVENT_RELIEF,
        [DUE_HANGUP] = PLATFORM_EVENT_HANGUP,    [DUE_LAUNCHERS] = PLATFORM_EVENT_LAUNCHERS,
        [DUE_LOG] = PLATFORM_EVENT_LOG_WRITABLE, [DUE_RESTART] = PLATFORM_EVENT_RESTART,
    };
    for (size_t i = 0; i < DUE_COUNT; i++) {
        if (platform->is_due[i] && told->count < told->capacity) {
            platform->is_due[i] = false;
            posix_tell(told, events[i], 0);
        }
    }
    posix_launchers_tell(platform, told);
    posix_processes_tell_late(platform, told);
    tell_dues(platform, told);
    posix_processes_reap(platform, told);
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

void posix_await(struct platform *platform, int descriptor, int events, uint64_t deadline_us) {
    struct pollfd one = {.fd = descriptor, .events = (short)events};
    poll(&one, 1, posix_timeout_ms(platform, deadline_us));
}

static void bring_forward(uint64_t *until_us, uint64_t due_us) {
    *until_us = due_us < *until_us ? due_us : *until_us;
}

/* What is to be done between two looks at epoll, and until when at the latest to wait. */
static uint64_t do_chores(struct platform *platform, uint64_t until_us) {
    uint64_t now_us = platform_now_us(platform);
    bring_forward(&until_us, posix_threads_feed(platform, now_us));
    bring_forward(&until_us, posix_outputs_look(platform, now_us));
    bring_forward(&until_us, posix_processes_late_us(platform));
    bring_forward(&until_us, posix_files_feed(platform, now_us));
    bring_forward(&until_us, posix_carriers_feed(platform, now_us));
    bring_forward(&until_us, posix_launchers_feed(platform, now_us));
    bring_forward(&until_us, posix_logs_feed(platform, now_us));
    bring_forward(&until_us, platform->children_due_us);
    return until_us;
}

/* Waits for epoll until `until_us` at the latest, and writes the events. Returns how many reports
 * epoll had, be they no events, or -1 and errno. */
static int take_reports(struct platform *platform, struct told *told, uint64_t until_us) {
    struct epoll_event batch[BATCH_COUNT];
    int timeout_ms = posix_timeout_ms(platform, until_us);
    if (timeout_ms != 0 && !posix_launchers_may_wait(platform)) {
        timeout_ms = 0;
    }
    int got = epoll_wait(platform->epoll, batch, (int)(told->capacity - told->count), timeout_ms);
    posix_launchers_awake(platform);
    for (int i = 0; i < got; i++) {
        /* A stream is not reported twice, so each of the batch keeps room for one event. */
        translate(platform, batch[i].data.ptr, batch[i].events, told, (size_t)(got - i - 1));
    }
    return got < 0 && errno == EINTR ? 0 : got;
}

const char platform_hangup_name[] = "SIGHUP";

int platform_wait(struct platform *platform, struct platform_event *events, size_t capacity,
                  uint64_t deadline_us, struct baton_cause *cause) {
    struct told told = {events, 0, capacity < BATCH_COUNT ? capacity : BATCH_COUNT};
    bool was_late = false;
    for (;;) {
        collect_due(platform, &told);
        /* By turns, so that neither output nor anything else takes all there is room for. */
        bool outputs_are_last = platform->outputs.are_last;
        platform->outputs.are_last = !outputs_are_last;
        if (!outputs_are_last) {
            posix_outputs_tell(platform, &told);
        }
        if (told.count == told.capacity) {
            break;
        }
        uint64_t until_us = do_chores(platform, deadline_us);
        bool has_some = told.count > 0 || posix_outputs_are_ready(platform);
        int got = take_reports(platform, &told, has_some ? 0 : until_us);
        if (got < 0) {
            posix_failed(cause, "epoll_wait");
            return BATON_SYSTEM;
        }
        if (outputs_are_last) {
            posix_outputs_tell(platform, &told);
        }
        if (told.count > 0) {
            break;
        }
        /* What a signal has told is looked at even when it is late, but only once: strays may end
         * faster than they are reaped. */
        bool late = posix_timeout_ms(platform, deadline_us) == 0;
        if (late && (got == 0 || was_late)) {
            break;
        }
        was_late = late;
    }
    return (int)told.count;
}
