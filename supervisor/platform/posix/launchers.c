/*
 * Which launcher launches what, and what becomes of those that do not come back. launchers.h tells
 * what launchers are.
 */
#include "platform/posix/launcher.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A launch that has taken so long is waited for by its launcher alone, and another takes its place;
 * but for so many, no more. */
#define HELD_US 100000u
#define HELD_MAX_COUNT 8u
/* Until the next try, when the system had no memory or process for one. */
#define SHORT_US 100000u
/* When it is looked whether a child that does not come on was stopped; and how often one may be. */
#define LOOK_FIRST_US 10000u
#define LOOK_NEXT_US 100000u
#define STOPS_MAX_COUNT 4u

/* A bound of what one launch writes into the page: pointers for each text, and the texts. */
static size_t room_for(const struct platform_program *program) {
    size_t names_bytes = 0;
    for (size_t i = 0; i < program->variable_count; i++) {
        names_bytes += strlen(program->variables[i]) + 1;
    }
    return (program->variable_count + program->listener_count + 8) * sizeof(char *) + names_bytes +
           program->launch_bytes * (2 + sizeof(char *));
}

void posix_launchers_note_program(struct platform *platform, struct platform_program *program) {
    struct posix_launchers *launchers = &platform->launchers;
    size_t room_bytes = room_for(program);
    program->number = ++launchers->last_number;
    launchers->room_bytes = room_bytes > launchers->room_bytes ? room_bytes : launchers->room_bytes;
}

#define BY_CORES_MAX_COUNT 4u

/* A single processor gains nothing. Two for each, since a launcher waits between two launches, and
 * the last free one is never taken. */
static uint32_t count_by_cores(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t wanted_count = count > 1 ? 2 * (uint32_t)count : 0;
    return wanted_count < BY_CORES_MAX_COUNT ? wanted_count : BY_CORES_MAX_COUNT;
}

/* ---- Who is free ---- */

/* Not counting those that are held and replaced. */
static uint32_t count_regular(const struct posix_launchers *launchers) {
    uint32_t count = 0;
    for (const struct launcher *at = launchers->first; at != NULL; at = at->next) {
        count += !at->is_held && !at->is_leaving ? 1 : 0;
    }
    return count;
}

static uint32_t count_held(const struct posix_launchers *launchers) {
    uint32_t count = 0;
    for (const struct launcher *at = launchers->first; at != NULL; at = at->next) {
        count += at->is_held ? 1 : 0;
    }
    return count;
}

static uint32_t count_busy_with(const struct posix_launchers *launchers,
                                const struct platform_program *program) {
    uint32_t count = 0;
    for (const struct launcher *at = launchers->first; at != NULL; at = at->next) {
        count += at->is_busy && at->program == program ? 1 : 0;
    }
    return count;
}

bool posix_launchers_serve(struct platform *platform, const struct platform_program *program) {
    const struct posix_launchers *launchers = &platform->launchers;
    bool is_few = program->listener_count <= HANDOVER_MAX_COUNT - 4;
    bool none_can_be_had = launchers->first == NULL && launchers->short_until_us > 0;
    return launchers->wanted_count > 0 && is_few && !none_can_be_had;
}

struct launcher *posix_launchers_choose(struct platform *platform,
                                        const struct platform_program *program) {
    struct posix_launchers *launchers = &platform->launchers;
    uint32_t most_count = launchers->wanted_count > 1 ? launchers->wanted_count - 1 : 1;
    struct launcher *at = launchers->first;
    if (count_busy_with(launchers, program) >= most_count) {
        at = NULL;
    }
    while (at != NULL && (at->is_busy || at->is_leaving || at->knows_number < program->number)) {
        at = at->next;
    }
    launchers->is_awaited = launchers->is_awaited || at == NULL;
    return at;
}

void posix_launchers_begin(struct platform *platform, struct launcher *launcher,
                           struct platform_process *process, const struct preparation *p) {
    uint64_t now_us = platform_now_us(platform);
    launcher->is_busy = true;
    launcher->is_answered = launcher->is_reaped = false;
    launcher->stops_count = 0;
    launcher->begun_us = now_us;
    launcher->look_us = now_us + LOOK_FIRST_US;
    launcher->program = launcher->page->program;
    launcher->process = process;
    launcher->prepared = *p;
    process->launcher = launcher;
}

static void tell_free(struct platform *platform) {
    if (platform->launchers.is_awaited) {
        platform->launchers.is_awaited = false;
        platform->is_due[DUE_LAUNCHERS] = true;
    }
}

void posix_launchers_end(struct platform *platform, struct launcher *launcher) {
    if (launcher->process != NULL) {
        launcher->process->launcher = NULL;
    }
    launcher->process = NULL;
    launcher->program = NULL;
    launcher->is_busy = false;
    launcher->is_leaving = launcher->is_leaving || launcher->is_held || launcher->is_dead;
    launcher->is_held = false;
    tell_free(platform);
}

/* ---- News ---- */

void posix_launchers_on_news(struct platform *platform, struct posix_watch *watch,
                             struct told *told) {
    struct launcher *launcher = (struct launcher *)watch;
    char answer;
    ssize_t got = recv(watch->descriptor, &answer, 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got != 1) {
        launcher->is_dead = true;
        posix_watch_forget(platform, watch);
        launcher->is_leaving = !launcher->is_busy;
    }
    if (!launcher->is_busy || launcher->is_answered) {
        return;
    }
    launcher->is_answered = true;
    if (launcher->process != NULL) {
        posix_tell(told, PLATFORM_EVENT_LAUNCHED, launcher->process->channel.token);
    } else {
        posix_launch_abandon(platform, launcher);
    }
}

struct launcher *posix_launchers_find(struct platform *platform, pid_t pid) {
    struct launcher *at = platform->launchers.first;
    while (at != NULL && !(at->is_busy && !at->is_reaped && at->page->pid == pid)) {
        at = at->next;
    }
    return at;
}

/* ---- Once a round ---- */

static void add(struct platform *platform, struct launcher *launcher) {
    launcher->next = platform->launchers.first;
    platform->launchers.first = launcher;
}

/* Here, and nowhere else, since reports of epoll may be about them. */
static void remove_leaving(struct platform *platform) {
    struct launcher **link = &platform->launchers.first;
    while (*link != NULL) {
        struct launcher *launcher = *link;
        bool is_outdated =
            !launcher->is_busy && launcher->knows_number < platform->launchers.last_number;
        if (launcher->is_leaving || is_outdated) {
            *link = launcher->next;
            launcher_free(platform, launcher);
        } else {
            link = &launcher->next;
        }
    }
}

/* Where the child has another user's rights a moment before its execve(2), any process of that
 * user could stop it there. */
static void look_at_child(struct launcher *launcher) {
    pid_t pid = launcher->page->pid;
    if (pid > 0 && !launcher->is_reaped && posix_child_look(P_PID, pid, WSTOPPED) == pid) {
        kill(pid, ++launcher->stops_count < STOPS_MAX_COUNT ? SIGCONT : SIGKILL);
    }
}

static uint64_t look_at_busy(struct platform *platform, uint64_t now_us) {
    struct posix_launchers *launchers = &platform->launchers;
    uint64_t again_us = UINT64_MAX;
    for (struct launcher *at = launchers->first; at != NULL; at = at->next) {
        if (!at->is_busy || at->is_answered) {
            continue;
        }
        if (now_us >= at->look_us) {
            look_at_child(at);
            at->look_us = now_us + LOOK_NEXT_US;
        }
        again_us = at->look_us < again_us ? at->look_us : again_us;
        if (!at->is_held && count_held(launchers) < HELD_MAX_COUNT) {
            uint64_t held_us = at->begun_us + HELD_US;
            at->is_held = now_us >= held_us;
            again_us = !at->is_held && held_us < again_us ? held_us : again_us;
        }
    }
    return again_us;
}

uint64_t posix_launchers_feed(struct platform *platform, uint64_t now_us) {
    struct posix_launchers *launchers = &platform->launchers;
    if (launchers->wanted_count == 0 && launchers->first == NULL) {
        return UINT64_MAX;
    }
    remove_leaving(platform);
    uint64_t again_us = look_at_busy(platform, now_us);
    while (count_regular(launchers) < launchers->wanted_count &&
           now_us >= launchers->short_until_us) {
        struct launcher *launcher = launcher_start(platform, &posix_ignored);
        launchers->short_until_us = launcher == NULL ? now_us + SHORT_US : 0;
        if (launcher != NULL) {
            add(platform, launcher);
        }
        tell_free(platform);
    }
    if (platform->is_due[DUE_LAUNCHERS]) {
        return now_us;
    }
    return launchers->short_until_us > now_us && launchers->short_until_us < again_us
               ? launchers->short_until_us
               : again_us;
}

/* Three descriptors each, and what is to be left for others. */
#define DESCRIPTORS_EACH 3u
#define DESCRIPTORS_LEFT_COUNT 64u

int platform_launchers_set(struct platform *platform, uint32_t count) {
    bool can = platform->shares_table && platform->has_exit_watches;
    struct platform_descriptors ignored;
    if (count == PLATFORM_LAUNCHERS_BY_CORES) {
        count = count_by_cores();
    }
    size_t needed_count = DESCRIPTORS_EACH * (size_t)count + DESCRIPTORS_LEFT_COUNT;
    bool has_room = platform_descriptors_short(platform, needed_count, &ignored) == 0;
    platform->launchers.wanted_count = can && has_room ? count : 0;
    (void)posix_launchers_feed(platform, platform_now_us(platform));
    if (count == 0) {
        return BATON_OK;
    }
    return !can ? BATON_UNSUPPORTED : has_room ? BATON_OK : BATON_SHORTAGE;
}

void posix_launchers_close(struct platform *platform) {
    platform->launchers.wanted_count = 0;
    for (struct launcher *at = platform->launchers.first; at != NULL; at = at->next) {
        bool was_busy = at->is_busy;
        pid_t pid = at->pid;
        if (posix_elders_has(platform, pid)) { /* else it has been killed, and reaped */
            kill(pid, SIGKILL);
            if (!was_busy) {
                posix_child_await(pid);
                posix_elders_forget(platform, pid);
            }
        }
        at->process = NULL;
        at->is_dead = at->is_leaving = true;
        if (was_busy) {
            posix_launch_abandon(platform, at);
        }
    }
    remove_leaving(platform);
}
