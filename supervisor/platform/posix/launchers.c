/*
 * Which launcher launches what, and what becomes of those that do not come back. launchers.h tells
 * what launchers are.
 */
#include "platform/posix/launcher.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* A launch that has taken so long is waited for by its launcher alone, and another takes its place;
 * but for so many, and one of each further program, no more. A program of these gets none then: so
 * whatever others it has taken before, one is free again. */
#define HELD_US 100000u
#define HELD_MAX_COUNT 8u
/* From so many on, what is left is for as many programs as there can be. */
#define HELD_MANY_COUNT 4u
/* A launcher whose launch takes longer gets no other to go on with; and which it has is revoked. */
#define QUICK_US 2000u
/* Until the next try, when the system had no memory or process for one, or for what one launches:
 * doubled, to a bound, as long as such a try follows the other. */
#define SHORT_FIRST_US 100000u
#define SHORT_MOST_US 30000000u
/* When it is looked whether a child that does not come on was stopped; and how often one may be. */
#define LOOK_FIRST_US 5000u
#define LOOK_NEXT_US 100000u
#define STOPS_MAX_COUNT 4u
/* And at the child of a dead launcher. */
#define EMPTY_NEXT_US 1000u
/* How long the end of one that was killed is waited for, at the stop. */
#define END_US 1000000u

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
    uint32_t count = platform_processors_count();
    uint32_t wanted_count = count > 1 ? 2 * count : 0;
    return wanted_count < BY_CORES_MAX_COUNT ? wanted_count : BY_CORES_MAX_COUNT;
}

void posix_launchers_note_short(struct platform *platform) {
    struct posix_launchers *launchers = &platform->launchers;
    uint64_t now_us = platform_now_us(platform);
    bool is_again =
        launchers->short_us > 0 && now_us < launchers->short_since_us + 2 * SHORT_MOST_US;
    uint64_t next_us = is_again ? 2 * launchers->short_us : SHORT_FIRST_US;
    launchers->short_us = next_us < SHORT_MOST_US ? next_us : SHORT_MOST_US;
    launchers->short_since_us = now_us;
    launchers->short_until_us = now_us + launchers->short_us;
    launchers->is_asked = false;
}

/* ---- Who is free ---- */

static bool is_busy(const struct launcher *launcher) {
    return launcher->launches[0].is_used || launcher->launches[1].is_used;
}

/* The one that it is at, or comes to next; NULL: it has none. */
static struct launch *at_work(struct launcher *launcher) {
    struct launch *launch = &launcher->launches[launcher->seen % LAUNCHES_EACH];
    return launch->is_used && !launch->is_over ? launch : NULL;
}

/* Not counting those that are held and replaced. */
static uint32_t count_regular(const struct posix_launchers *launchers) {
    uint32_t count = 0;
    for (const struct launcher *at = launchers->first; at != NULL; at = at->next) {
        count += !at->is_held && !at->is_tired && !at->is_leaving && !at->is_dead ? 1 : 0;
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

static bool has_program(const struct launcher *launcher, const struct platform_program *program) {
    for (size_t i = 0; i < LAUNCHES_EACH; i++) {
        const struct launch *launch = &launcher->launches[i];
        if (launch->is_used && !launch->is_over && launch->program == program) {
            return true;
        }
    }
    return false;
}

static bool is_held(const struct posix_launchers *launchers,
                    const struct platform_program *program) {
    for (const struct launcher *at = launchers->first; at != NULL; at = at->next) {
        if (at->is_held && has_program(at, program)) {
            return true;
        }
    }
    return false;
}

bool posix_launchers_serve(struct platform *platform, const struct platform_program *program) {
    const struct posix_launchers *launchers = &platform->launchers;
    bool is_few = program->listener_count <= HANDOVER_MAX_COUNT - 4;
    bool none_can_be_had = launchers->first == NULL && launchers->short_until_us > 0;
    platform->launchers.is_asked = true;
    return launchers->wanted_count > 0 && is_few && (!none_can_be_had || program->has_held);
}

/* How little one is fit for another request; 0 = it has nothing to do. */
enum fitness { FREE, QUICK, UNFIT };

static enum fitness fitness_of(struct launcher *launcher, const struct platform_program *program,
                               uint64_t now_us) {
    if (launcher->is_leaving || launcher->is_dead || launcher->is_held || launcher->is_tired ||
        launcher->knows_number < program->number || launcher_room(launcher) == NULL) {
        return UNFIT;
    }
    if (!is_busy(launcher)) {
        return launcher->seen == launcher->asked ? FREE : UNFIT;
    }
    return now_us - launcher->begun_us < QUICK_US ? QUICK : UNFIT;
}

/* The last one is for others. Where many are held, each program has one, since the next to be held
 * may be another. */
static uint32_t most_for_one(const struct posix_launchers *launchers) {
    bool is_one = launchers->wanted_count <= 1 || count_held(launchers) >= HELD_MANY_COUNT;
    return is_one ? 1 : launchers->wanted_count - 1;
}

struct launch *posix_launchers_choose(struct platform *platform,
                                      const struct platform_program *program) {
    struct posix_launchers *launchers = &platform->launchers;
    uint32_t most_count = most_for_one(launchers);
    uint32_t having_count = 0;
    uint64_t now_us = platform_now_us(platform);
    struct launcher *best = NULL, *best_having = NULL;
    enum fitness fitness = UNFIT, fitness_having = UNFIT;
    for (struct launcher *at = launchers->first; at != NULL; at = at->next) {
        bool has_it = has_program(at, program);
        enum fitness own = fitness_of(at, program, now_us);
        having_count += has_it ? 1 : 0;
        if (has_it && own < fitness_having) {
            best_having = at;
            fitness_having = own;
        } else if (!has_it && own < fitness) {
            best = at;
            fitness = own;
        }
    }
    /* One more may have it; else only those that do. */
    if (having_count >= most_count || fitness_having < fitness) {
        best = best_having;
    }
    if (count_held(launchers) >= HELD_MAX_COUNT && is_held(launchers, program)) {
        best = NULL;
    }
    launchers->is_awaited = launchers->is_awaited || best == NULL;
    return best != NULL ? launcher_room(best) : NULL;
}

bool platform_launch_waits(struct platform *platform, const struct platform_program *program) {
    return posix_launchers_serve(platform, program) &&
           posix_launchers_choose(platform, program) == NULL;
}

static void begin_work(struct launcher *launcher, uint64_t now_us) {
    launcher->begun_us = now_us;
    launcher->look_us = now_us + LOOK_FIRST_US;
    launcher->stops_count = 0;
}

void posix_launchers_begin(struct platform *platform, struct launch *launch,
                           struct platform_process *process, const struct preparation *p) {
    struct launcher *launcher = launch->launcher;
    if (!is_busy(launcher)) {
        begin_work(launcher, platform_now_us(platform));
    }
    launch->is_used = true;
    launch->is_over = launch->is_reaped = launch->came_back = false;
    launch->back = -1;
    launch->program = launch->request->program;
    launch->process = process;
    launch->prepared = *p;
    launch->request->handover = p->handover; /* it has its number now */
    process->launch = launch;
    launcher_ask(launch);
}

static void tell_free(struct platform *platform) {
    if (platform->launchers.is_awaited) {
        platform->launchers.is_awaited = false;
        platform->is_due[DUE_LAUNCHERS] = true;
    }
}

void posix_launchers_end(struct platform *platform, struct launch *launch) {
    struct launcher *launcher = launch->launcher;
    if (launch->process != NULL) {
        launch->process->launch = NULL;
    }
    launch->process = NULL;
    launch->program = NULL;
    launch->is_used = launch->is_revoked = false;
    if (!is_busy(launcher)) {
        launcher->is_leaving = launcher->is_held || launcher->is_dead || launcher->is_tired;
        launcher->is_held = false;
    }
    if (launch->request->halts) {
        launcher_go_on(launcher);
    }
    tell_free(platform);
}

void posix_launchers_forget_output(struct platform *platform,
                                   const struct platform_output *output) {
    for (struct launcher *at = platform->launchers.first; at != NULL; at = at->next) {
        for (size_t i = 0; i < LAUNCHES_EACH; i++) {
            struct preparation *p = &at->launches[i].prepared;
            if (at->launches[i].is_used && p->log != NULL && p->log->output == output) {
                p->log = NULL;
            }
        }
    }
}

struct launch *posix_launchers_find(struct platform *platform, pid_t pid) {
    for (struct launcher *at = platform->launchers.first; at != NULL; at = at->next) {
        for (size_t i = 0; i < LAUNCHES_EACH; i++) {
            struct launch *launch = &at->launches[i];
            if (launch->is_used && !launch->is_reaped && launch->request->pid == pid) {
                return launch;
            }
        }
    }
    return NULL;
}

/* ---- News ---- */

/* There is room for an event. */
static void tell_over(struct platform *platform, struct launch *launch, struct told *told) {
    launch->is_over = true;
    if (launch->process != NULL) {
        posix_tell(told, PLATFORM_EVENT_LAUNCHED, launch->process->channel.token);
    } else {
        posix_launch_abandon(platform, launch);
    }
}

/* Of what it was asked, the oldest; for a dead one will do nothing any more. */
static bool has_news(const struct launcher *launcher) {
    uint32_t done = launcher->is_emptied ? launcher->asked : atomic_load(&launcher->page->done);
    return launcher->seen != done;
}

static void take_news(struct platform *platform, struct launcher *launcher, struct told *told) {
    while (told->count < told->capacity && has_news(launcher)) {
        struct launch *launch = &launcher->launches[launcher->seen++ % LAUNCHES_EACH];
        begin_work(launcher, platform_now_us(platform));
        if (launch->is_used && !launch->is_over) {
            tell_over(platform, launch, told);
        }
    }
}

void posix_launchers_tell(struct platform *platform, struct told *told) {
    for (struct launcher *at = platform->launchers.first; at != NULL; at = at->next) {
        take_news(platform, at, told);
        for (uint32_t i = 0; i < LAUNCHES_EACH && told->count < told->capacity; i++) {
            struct launch *launch = &at->launches[(at->seen + i) % LAUNCHES_EACH];
            if (launch->is_used && launch->is_revoked && !launch->is_over) {
                tell_over(platform, launch, told);
            }
        }
    }
}

bool posix_launchers_may_wait(struct platform *platform) {
    const struct posix_launchers *launchers = &platform->launchers;
    if (launchers->first == NULL) {
        return true;
    }
    atomic_store(&launchers->face->is_asleep, 1);
    for (const struct launcher *at = launchers->first; at != NULL; at = at->next) {
        if (has_news(at)) {
            return false;
        }
    }
    return true;
}

void posix_launchers_awake(struct platform *platform) {
    if (platform->launchers.first != NULL) {
        atomic_store(&platform->launchers.face->is_asleep, 0);
    }
}

/* A child that is about to take what is its own would else find the next one's, and that is
 * nobody's then. It waits for nothing before. */
static bool has_child_on_its_way(struct launcher *launcher) {
    const struct launch *launch = at_work(launcher);
    const struct launch_request *request = launch != NULL ? launch->request : NULL;
    return request != NULL && request->pid > 0 && request->handover.count > 0 &&
           !request->handover.was_taken && request->failure.step == NULL && !launch->is_reaped &&
           posix_child_look(P_PID, request->pid, WEXITED) != request->pid;
}

static void empty(struct launcher *launcher) {
    if (!launcher->is_emptied && !has_child_on_its_way(launcher)) {
        launcher_take_all(launcher);
        launcher->is_emptied = true;
    }
}

void posix_launchers_on_end(struct platform *platform, struct posix_watch *watch) {
    struct launcher *launcher = (struct launcher *)watch;
    struct platform_exit ignored;
    launcher->is_dead = true;
    launcher->is_leaving = !is_busy(launcher);
    empty(launcher);
    posix_watch_close(platform, watch);
    (void)posix_child_reap(platform, launcher->pid, &ignored); /* if the walk has not */
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
            !is_busy(launcher) && launcher->knows_number < platform->launchers.last_number;
        if (launcher->is_leaving || is_outdated) {
            *link = launcher->next;
            launcher_free(platform, launcher);
        } else {
            link = &launcher->next;
        }
    }
}

/* True if it was stopped. */
static bool let_go_on(struct launcher *launcher, pid_t pid) {
    bool is_stopped = pid > 0 && posix_child_look(P_PID, pid, WSTOPPED) == pid;
    if (is_stopped) {
        kill(pid, ++launcher->stops_count < STOPS_MAX_COUNT ? SIGCONT : SIGKILL);
    }
    return is_stopped;
}

/* What it has failed at its launcher finds out, which may take long. */
static bool runs(struct launch_request *request) {
    return request->pid > 0 && atomic_load(&request->is_walking) == 0 &&
           request->failure.step == NULL;
}

/* Where the child has another user's rights a moment before its execve(2), any process of that
 * user could stop it there; and whoever runs as we do, the launcher, or trace it, of which we are
 * told nothing. One whose child runs or has ended and that does not come back ends, which tells as
 * much. */
static void look_at_child(struct launcher *launcher, const struct launch *launch, bool is_late) {
    bool goes_on = let_go_on(launcher, launcher->pid);
    if (launch->is_reaped || (is_late && !goes_on && runs(launch->request))) {
        kill(launcher->pid, SIGKILL);
    } else {
        (void)let_go_on(launcher, launch->request->pid);
    }
}

static void try_to_revoke(struct launch *launch) {
    if (launch->is_used && !launch->is_over && !launch->is_revoked) {
        launch->is_revoked = launcher_revoke(launch);
    }
}

/* What it has not begun goes to others: the second one soon, when the first is not in its way any
 * more; both, if it does not get to work at all. */
static void relieve(struct launcher *launcher, struct launch *first) {
    const struct launch_request *request = first->request;
    bool is_out_of_the_way =
        request->pid > 0 && (request->handover.was_taken || request->handover.count == 0);
    if (launcher->is_held && !first->is_revoked) {
        /* If it gets to work just now it is not to come to the second, whose packet lies behind. */
        atomic_store(&launcher->page->is_halted, 1);
        try_to_revoke(first);
        first->request->halts = true;
    }
    if (is_out_of_the_way || first->is_revoked) {
        try_to_revoke(&launcher->launches[(launcher->seen + 1) % LAUNCHES_EACH]);
    }
}

static bool has_revoked(const struct launcher *launcher) {
    return launcher->launches[0].is_revoked || launcher->launches[1].is_revoked;
}

/* While its process is not closed the program is there. */
static void note_held(const struct launcher *launcher, const struct launch *launch) {
    if (launcher->is_held && launch->process != NULL) {
        ((struct platform_program *)(uintptr_t)launch->program)->has_held = true;
    }
}

static uint64_t look_at_busy(struct platform *platform, uint64_t now_us) {
    struct posix_launchers *launchers = &platform->launchers;
    uint64_t again_us = UINT64_MAX;
    for (struct launcher *at = launchers->first; at != NULL; at = at->next) {
        struct launch *first = at_work(at);
        if (first == NULL) {
            continue;
        }
        if (at->is_dead) {
            uint64_t next_us = at->is_emptied ? UINT64_MAX : now_us + EMPTY_NEXT_US;
            again_us = next_us < again_us ? next_us : again_us;
            (void)let_go_on(at, first->request->pid);
            empty(at);
            continue;
        }
        if (!at->is_held &&
            (count_held(launchers) < HELD_MAX_COUNT || !is_held(launchers, first->program))) {
            uint64_t held_us = at->begun_us + HELD_US;
            at->is_held = now_us >= held_us;
            note_held(at, first);
            again_us = !at->is_held && held_us < again_us ? held_us : again_us;
        }
        if (now_us >= at->look_us) {
            look_at_child(at, first, now_us >= at->begun_us + HELD_US);
            relieve(at, first);
            at->look_us = now_us + LOOK_NEXT_US;
        }
        uint64_t due_us = has_revoked(at) ? now_us : at->look_us;
        again_us = due_us < again_us ? due_us : again_us;
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
    /* Who has found none is not woken to try again, unless somebody waits for it. */
    bool may_try = launchers->short_until_us == 0 ||
                   (launchers->is_asked && now_us >= launchers->short_until_us);
    while (may_try && count_regular(launchers) < launchers->wanted_count) {
        struct launcher *launcher = launcher_start(platform, &posix_ignored);
        may_try = launcher != NULL;
        if (may_try) {
            launchers->short_until_us = 0;
            add(platform, launcher);
        } else {
            posix_launchers_note_short(platform);
        }
        tell_free(platform);
    }
    if (platform->is_due[DUE_LAUNCHERS]) {
        return now_us;
    }
    bool is_due = launchers->short_until_us > now_us && launchers->is_awaited;
    return is_due && launchers->short_until_us < again_us ? launchers->short_until_us : again_us;
}

/* ---- All of them ---- */

/* Three descriptors each, the bell, and what is to be left for others. */
#define DESCRIPTORS_EACH 3u
#define DESCRIPTORS_LEFT_COUNT 64u

/* What all of them share is made when there are to be some for the first time. */
static bool open_face(struct platform *platform) {
    struct posix_launchers *launchers = &platform->launchers;
    if (launchers->face != NULL) {
        return true;
    }
    void *face = mmap(NULL, sizeof *launchers->face, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (face == MAP_FAILED) {
        return false;
    }
    posix_watch_init(&platform->bell, POSIX_WATCH_BELL, 0);
    platform->bell.descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Each write is told, and none is read. */
    if (platform->bell.descriptor < 0 ||
        posix_watch_set(platform, &platform->bell, EPOLLIN | (uint32_t)EPOLLET) != 0) {
        posix_close_descriptor(&platform->bell.descriptor);
        munmap(face, sizeof *launchers->face);
        return false;
    }
    launchers->face = face;
    return true;
}

int platform_launchers_set(struct platform *platform, uint32_t *count) {
    bool can = platform->shares_table && platform->has_exit_watches;
    struct platform_descriptors ignored;
    uint32_t wanted_count = *count == PLATFORM_LAUNCHERS_BY_CORES ? count_by_cores() : *count;
    size_t needed_count = DESCRIPTORS_EACH * (size_t)wanted_count + DESCRIPTORS_LEFT_COUNT;
    bool has_room = wanted_count == 0 ||
                    (can && platform_descriptors_short(platform, needed_count, &ignored) == 0 &&
                     open_face(platform));
    platform->launchers.wanted_count = can && has_room ? wanted_count : 0;
    (void)posix_launchers_feed(platform, platform_now_us(platform));
    *count = platform->launchers.wanted_count;
    if (wanted_count == 0) {
        return BATON_OK;
    }
    can = can && platform->has_exit_watches; /* that may just have been seen to be refused */
    return !can ? BATON_UNSUPPORTED : has_room ? BATON_OK : BATON_SHORTAGE;
}

/* Who traces one is told of its end first (ptrace(2)), and may never look. */
static void end_process(struct platform *platform, struct launcher *launcher) {
    struct platform_exit ignored;
    bool was_busy = is_busy(launcher);
    kill(launcher->pid, SIGKILL);
    if (!was_busy) {
        posix_await(platform, launcher->watch.descriptor, POLLIN,
                    platform_now_us(platform) + END_US);
        (void)posix_child_reap(platform, launcher->pid, &ignored);
    }
}

bool posix_launchers_are_idle(const struct platform *platform) {
    bool is_idle = true;
    for (const struct launcher *at = platform->launchers.first; at != NULL; at = at->next) {
        is_idle = is_idle && !is_busy(at);
    }
    return is_idle;
}

static void end_one(struct platform *platform, struct launcher *launcher) {
    if (!launcher->is_dead) {
        end_process(platform, launcher);
    }
    launcher->is_dead = launcher->is_leaving = true;
    for (uint32_t i = 0; i < LAUNCHES_EACH; i++) {
        struct launch *launch = &launcher->launches[(launcher->seen + i) % LAUNCHES_EACH];
        if (launch->is_used) {
            launch->process = NULL;
            posix_launch_abandon(platform, launch);
        }
    }
}

void posix_launchers_close(struct platform *platform) {
    struct posix_launchers *launchers = &platform->launchers;
    launchers->wanted_count = 0;
    for (struct launcher *at = launchers->first; at != NULL; at = at->next) {
        end_one(platform, at);
    }
    remove_leaving(platform);
    if (launchers->face != NULL) {
        posix_watch_close(platform, &platform->bell);
        munmap(launchers->face, sizeof *launchers->face);
        launchers->face = NULL;
    }
}
