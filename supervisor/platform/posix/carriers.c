#include "platform/posix/carriers.h"

#include "core/base/must.h"
#include "platform/posix/carrier.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All are held if none of them has answered for so long. */
#define HELD_US 10000u
/* How long the last one stays when there is nothing to do. */
#define IDLE_US 1000000u
/* Until the next try, when the system had no memory or process for it. */
#define SHORT_US 100000u
/* At the end: for the last one to take what is left, and for all that are not held to go. */
#define END_WAIT_MS 1000

/* More than one that is not held, when jobs have waited for HELD_US. */
#define ABREAST_MAX_COUNT 8u

/* An owner, from its first job until it has none. Those of which one has just begun come last. */
struct turn {
    struct posix_node node;
    const void *owner;
    struct posix_list jobs; /* that wait; one without work is a closing, owned */
    unsigned busy_count;    /* carriers */
};

/* ---- Turns ---- */

static struct turn *first_turn(const struct posix_carriers *carriers) {
    return (struct turn *)carriers->turns.first;
}

static struct turn *turn_after(const struct turn *turn) {
    return (struct turn *)turn->node.next;
}

static struct carrier_job *first_job(const struct turn *turn) {
    return (struct carrier_job *)turn->jobs.first;
}

static struct turn *find_turn(const struct posix_carriers *carriers, const void *owner) {
    struct turn *turn = first_turn(carriers);
    while (turn != NULL && turn->owner != owner) {
        turn = turn_after(turn);
    }
    return turn;
}

/* Its turn; a new one, before all others. NULL without memory. */
static struct turn *make_turn(struct posix_carriers *carriers, const void *owner) {
    struct turn *turn = find_turn(carriers, owner);
    if (turn == NULL && (turn = calloc(1, sizeof *turn)) != NULL) {
        turn->owner = owner;
        posix_list_insert(&carriers->turns, &turn->node, NULL);
    }
    return turn;
}

static void forget_turn(struct posix_carriers *carriers, struct turn *turn) {
    if (first_job(turn) == NULL && turn->busy_count == 0) {
        posix_list_remove(&carriers->turns, &turn->node);
        free(turn);
    }
}

static void take_out(struct turn *turn, struct carrier_job *job) {
    posix_list_remove(&turn->jobs, &job->node);
    job->state = CARRIER_JOB_NONE;
}

/* ---- What one does ---- */

static void make_busy(struct platform *platform, struct carrier *carrier, struct turn *turn,
                      struct carrier_job *job) {
    struct posix_carriers *carriers = &platform->carriers;
    carrier->is_busy = true;
    carrier->turn = turn;
    carrier->job = job;
    turn->busy_count++;
    posix_list_remove(&carriers->turns, &turn->node);
    posix_list_append(&carriers->turns, &turn->node);
    carriers->progress_us = platform_now_us(platform);
}

static bool begin_work(struct platform *platform, struct carrier *carrier, struct turn *turn,
                       struct carrier_job *job) {
    const struct request request = {ORDER_WORK, job->work, job->length};
    if (job->bytes != NULL) {
        memcpy(carrier->bytes, job->bytes, job->length);
    }
    if (!carrier_send(carrier, &request, job->descriptor)) {
        return false;
    }
    take_out(turn, job);
    job->state = CARRIER_JOB_RUNS;
    make_busy(platform, carrier, turn, job);
    return true;
}

/* Ours is closed first, while the carrier or the packet to it has a copy: then it is not the last.
 */
static bool begin_closing(struct platform *platform, struct carrier *carrier, struct turn *turn,
                          struct carrier_job *job) {
    const struct request request = {ORDER_CLOSE, NULL, 0};
    if (!carrier_send(carrier, &request, job->descriptor)) {
        return false;
    }
    close(job->descriptor);
    (void)carrier_send(carrier, &request, -1); /* if it cannot be told, it has been killed */
    take_out(turn, job);
    free(job);
    make_busy(platform, carrier, turn, NULL);
    return true;
}

/* ---- What is to be done ---- */

void posix_carriers_open(struct platform *platform) {
    carrier_keep_spares(platform);
}

int posix_carriers_need(struct platform *platform, struct baton_cause *cause) {
    struct posix_carriers *carriers = &platform->carriers;
    if (carriers->first == NULL) {
        if (carrier_start(platform, cause) == NULL) {
            return BATON_SHORTAGE;
        }
        carriers->progress_us = platform_now_us(platform);
    }
    carriers->needs_count++;
    return BATON_OK;
}

void posix_carriers_need_no_more(struct platform *platform) {
    platform->carriers.needs_count--;
}

static void begin_what_can_be(struct platform *platform);

bool posix_carriers_give(struct platform *platform, struct carrier_job *job) {
    struct turn *turn = make_turn(&platform->carriers, job->owner);
    if (turn == NULL) {
        return false;
    }
    job->state = CARRIER_JOB_WAITS;
    job->given_us = platform_now_us(platform);
    posix_list_append(&turn->jobs, &job->node);
    if (!platform->carriers.is_looking) {
        begin_what_can_be(platform);
    }
    return true;
}

static void recall(struct posix_carriers *carriers, struct carrier_job *job) {
    struct turn *turn = find_turn(carriers, job->owner);
    must(turn != NULL);
    take_out(turn, job);
    forget_turn(carriers, turn);
}

/* True if nobody has the other end of the pipe: then nobody has its lock. */
static bool is_alone(int descriptor) {
    return (posix_look(descriptor, 0) & (POLLHUP | POLLERR)) != 0;
}

static void close_soon(struct platform *platform, int descriptor, bool is_socket,
                       const void *owner) {
    if (is_socket || descriptor < 0) {
        posix_let_go_connection(platform, descriptor); /* or a listener, which has no owner */
        return;
    }
    if (is_alone(descriptor)) {
        close(descriptor);
        return;
    }
    struct carrier_job *closing = calloc(1, sizeof *closing);
    if (closing != NULL) {
        *closing = (struct carrier_job){.owner = owner, .descriptor = descriptor};
    }
    if (closing == NULL || !posix_carriers_give(platform, closing)) {
        free(closing);
        posix_let_go(platform, descriptor);
    }
}

static struct carrier *find_carrier(const struct posix_carriers *carriers,
                                    const struct carrier_job *job) {
    struct carrier *carrier = carriers->first;
    while (carrier != NULL && carrier->job != job) {
        carrier = carrier->next;
    }
    return carrier;
}

bool posix_carriers_recall(struct platform *platform, struct carrier_job *job) {
    if (job->state == CARRIER_JOB_WAITS) {
        recall(&platform->carriers, job);
    }
    return job->state == CARRIER_JOB_NONE;
}

void posix_carriers_look_at(struct platform *platform, const struct carrier_job *job) {
    if (job->state == CARRIER_JOB_RUNS) {
        struct carrier *carrier = find_carrier(&platform->carriers, job);
        must(carrier != NULL);
        posix_carriers_on_news(platform, &carrier->watch);
    }
}

void posix_carriers_drop(struct platform *platform, struct carrier_job *job) {
    struct posix_carriers *carriers = &platform->carriers;
    if (job->state == CARRIER_JOB_RUNS) {
        struct carrier *carrier = find_carrier(carriers, job);
        must(carrier != NULL);
        job->state = CARRIER_JOB_NONE;
        carrier->job = NULL;
        carrier->dropped = job->descriptor;
        carrier->dropped_is_socket = job->is_socket;
    } else {
        if (job->state == CARRIER_JOB_WAITS) {
            recall(carriers, job);
        }
        close_soon(platform, job->descriptor, job->is_socket, job->owner);
    }
    job->descriptor = -1;
}

/* ---- Who does it ---- */

/* Whose turn it is; NULL = nobody's who may have one more. */
static struct turn *next_turn(const struct posix_carriers *carriers) {
    struct turn *turn = first_turn(carriers);
    while (turn != NULL && (first_job(turn) == NULL || turn->busy_count >= CARRIERS_PER_OWNER)) {
        turn = turn_after(turn);
    }
    return turn;
}

static struct carrier *find_idle(const struct posix_carriers *carriers) {
    struct carrier *carrier = carriers->first;
    while (carrier != NULL && carrier->is_busy) {
        carrier = carrier->next;
    }
    return carrier;
}

/* When one more is to be started: nothing has been done for long, so that all are held; or that job
 * has waited for long, and there are not many yet. */
static uint64_t more_due_us(const struct posix_carriers *carriers, const struct carrier_job *job) {
    unsigned count = 0;
    for (const struct carrier *at = carriers->first; at != NULL; at = at->next) {
        count++;
    }
    uint64_t since_us = count < ABREAST_MAX_COUNT && job->given_us < carriers->progress_us
                            ? job->given_us
                            : carriers->progress_us;
    return count == 0 ? 0 : since_us + HELD_US;
}

/* An idle one, or a new one if it is time for that; NULL: `*again_us` tells when to ask again. */
static struct carrier *find_or_start(struct platform *platform, const struct carrier_job *job,
                                     uint64_t now_us, uint64_t *again_us) {
    struct posix_carriers *carriers = &platform->carriers;
    struct carrier *carrier = find_idle(carriers);
    if (carrier != NULL) {
        return carrier;
    }
    uint64_t due_us = more_due_us(carriers, job);
    if (due_us < carriers->short_until_us) {
        due_us = carriers->short_until_us;
    }
    if (now_us >= due_us) {
        carrier = carrier_start(platform, &posix_ignored);
        if (carrier != NULL) {
            return carrier;
        }
        due_us = carriers->short_until_us = now_us + SHORT_US;
    }
    *again_us = due_us;
    return NULL;
}

/* False if the carrier takes nothing now: the system is short of something, or it has been killed,
 * which its socket will tell. */
static bool begin_next(struct platform *platform, struct carrier *carrier, struct turn *turn) {
    struct carrier_job *job = first_job(turn);
    return job->work != NULL ? begin_work(platform, carrier, turn, job)
                             : begin_closing(platform, carrier, turn, job);
}

/* ---- What has been done ---- */

static void finish(struct platform *platform, struct carrier *carrier) {
    struct carrier_job *job = carrier->job;
    int dropped = carrier->dropped;
    carrier->is_full = false;
    if (job != NULL) {
        job->state = CARRIER_JOB_NONE; /* `done` may give it again */
        if (!job->done(platform, job, carrier->bytes, carrier->answer.result,
                       (int)carrier->answer.code)) {
            job->state = CARRIER_JOB_RUNS;
            carrier->is_full = true;
            return;
        }
    }
    struct turn *turn = carrier->turn;
    carrier->is_busy = false;
    carrier->turn = NULL;
    carrier->job = NULL;
    carrier->dropped = -1;
    if (turn != NULL) {
        turn->busy_count--;
        close_soon(platform, dropped, carrier->dropped_is_socket, turn->owner);
        forget_turn(&platform->carriers, turn);
    }
}

/* One idle one is enough, whatever a crowd has needed. */
static void send_home(struct posix_carriers *carriers, struct carrier *carrier) {
    carrier->is_busy = true;
    carrier->is_leaving = find_idle(carriers) != NULL && next_turn(carriers) == NULL;
    carrier->is_busy = carrier->is_leaving;
}

static void take_answer(struct platform *platform, struct carrier *carrier) {
    struct posix_carriers *carriers = &platform->carriers;
    ssize_t got =
        recv(carrier->watch.descriptor, &carrier->answer, sizeof carrier->answer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    bool is_alive = got == sizeof carrier->answer;
    if (is_alive) {
        carriers->progress_us = platform_now_us(platform);
    } else {
        carrier->answer = (struct answer){-1, ECANCELED};
    }
    finish(platform, carrier);
    if (is_alive && !carrier->is_busy) {
        send_home(carriers, carrier);
    } else if (!is_alive && !carrier->is_full) {
        carrier->is_busy = carrier->is_leaving = true;
    }
}

/* Not in the midst of another: what is done may give the next job. */
void posix_carriers_on_news(struct platform *platform, struct posix_watch *watch) {
    struct carrier *carrier = (struct carrier *)watch;
    /* One that is full and was killed is looked at when its answer has been taken. */
    if (!platform->carriers.is_looking && !carrier->is_full && !carrier->is_leaving) {
        platform->carriers.is_looking = true;
        take_answer(platform, carrier);
        platform->carriers.is_looking = false;
    }
}

/* Here, and nowhere else, since reports of epoll may be about them. */
static void remove_leaving(struct platform *platform) {
    struct carrier *next = platform->carriers.first;
    while (next != NULL) {
        struct carrier *carrier = next;
        next = carrier->next;
        if (carrier->is_leaving) {
            carrier_remove(platform, carrier);
        }
    }
}

/* Those that have had nothing to do for long go, unless there are pipes that will need one. Returns
 * when to ask again. */
static uint64_t end_idle(struct platform *platform, uint64_t now_us) {
    struct posix_carriers *carriers = &platform->carriers;
    struct carrier *carrier = carriers->needs_count > 0 ? NULL : find_idle(carriers);
    uint64_t due_us = carriers->progress_us + IDLE_US;
    while (carrier != NULL && now_us >= due_us) {
        carrier_remove(platform, carrier);
        carrier = find_idle(carriers);
    }
    return carrier != NULL ? due_us : UINT64_MAX;
}

/* A round of the loop may take long: what has been done since it began makes room at once. */
static struct carrier *find_done(struct platform *platform) {
    struct carrier *at = platform->carriers.first;
    for (; at != NULL && find_idle(&platform->carriers) == NULL; at = at->next) {
        posix_carriers_on_news(platform, &at->watch);
    }
    return find_idle(&platform->carriers);
}

static void begin_what_can_be(struct platform *platform) {
    struct turn *turn = next_turn(&platform->carriers);
    struct carrier *carrier = turn == NULL ? NULL : find_idle(&platform->carriers);
    if (turn != NULL && carrier == NULL) {
        carrier = find_done(platform);
        turn = next_turn(&platform->carriers);
    }
    if (turn != NULL && carrier != NULL) {
        (void)begin_next(platform, carrier, turn); /* else posix_carriers_feed() tries again */
    }
}

uint64_t posix_carriers_feed(struct platform *platform, uint64_t now_us) {
    struct posix_carriers *carriers = &platform->carriers;
    uint64_t again_us = UINT64_MAX;
    remove_leaving(platform);
    for (struct carrier *at = carriers->first; at != NULL; at = at->next) {
        if (at->is_full) {
            finish(platform, at);
            again_us = at->is_full ? now_us + SHORT_US : again_us;
        }
    }
    for (;;) {
        struct turn *turn = next_turn(carriers);
        uint64_t later_us = now_us + SHORT_US;
        if (turn == NULL) {
            later_us = end_idle(platform, now_us);
        } else {
            struct carrier *carrier = find_or_start(platform, first_job(turn), now_us, &later_us);
            if (carrier != NULL && begin_next(platform, carrier, turn)) {
                continue;
            }
        }
        return later_us < again_us ? later_us : again_us;
    }
}

bool posix_carriers_are_idle(const struct platform *platform) {
    bool is_idle = true;
    for (const struct turn *turn = first_turn(&platform->carriers); turn != NULL;
         turn = turn_after(turn)) {
        for (const struct carrier_job *job = first_job(turn); job != NULL;
             job = (const struct carrier_job *)job->node.next) {
            is_idle = is_idle && job->work == NULL;
        }
    }
    for (const struct carrier *at = platform->carriers.first; at != NULL; at = at->next) {
        is_idle = is_idle && at->job == NULL && !at->is_full;
    }
    return is_idle;
}

/* ---- What was read ---- */

ssize_t posix_carrier_read(int descriptor, uint8_t *bytes, size_t length) {
    return read(descriptor, bytes, length);
}

bool posix_fetched_put(struct fetched *fetched, const uint8_t *bytes, size_t length) {
    fetched->bytes = malloc(length);
    if (fetched->bytes == NULL) {
        return false;
    }
    memcpy(fetched->bytes, bytes, length);
    fetched->first = 0;
    fetched->end = length;
    return true;
}

size_t posix_fetched_take(struct fetched *fetched, void *buffer, size_t capacity) {
    size_t length = fetched->end - fetched->first;
    length = length < capacity ? length : capacity;
    memcpy(buffer, fetched->bytes + fetched->first, length);
    fetched->first += length;
    if (fetched->first == fetched->end) {
        posix_fetched_clear(fetched);
    }
    return length;
}

void posix_fetched_clear(struct fetched *fetched) {
    free(fetched->bytes);
    fetched->bytes = NULL;
}

/* ---- The end ---- */

/* Sends it to one that keeps it. False if that cannot be. */
static bool leave(const struct carrier *heir, int descriptor) {
    const struct request request = {ORDER_HOLD, NULL, 0};
    struct pollfd room = {.fd = heir->watch.descriptor, .events = POLLOUT};
    while (!carrier_send(heir, &request, descriptor)) {
        if (errno != EAGAIN || poll(&room, 1, END_WAIT_MS) != 1) {
            return false;
        }
    }
    return true;
}

/* Others than closings are their owners', who should have dropped them before. */
static void leave_pipes(struct platform *platform, struct carrier *heir, struct turn *turn) {
    struct carrier_job *job;
    while ((job = first_job(turn)) != NULL) {
        int descriptor = job->descriptor;
        take_out(turn, job);
        if (job->work != NULL) {
            continue;
        }
        free(job);
        if (heir != NULL && leave(heir, descriptor)) {
            heir->is_busy = true;
            close(descriptor);
        } else {
            posix_let_go(platform, descriptor);
        }
    }
}

/* What is to be closed still: the last copies are then somebody else's, and this process ends
 * without closing them. */
static void leave_rest(struct platform *platform) {
    struct posix_carriers *carriers = &platform->carriers;
    struct carrier *heir = find_idle(carriers);
    struct turn *turn;
    if (first_turn(carriers) != NULL && heir == NULL) {
        heir = carrier_start(platform, &posix_ignored);
    }
    while ((turn = first_turn(carriers)) != NULL) {
        leave_pipes(platform, heir, turn);
        posix_list_remove(&carriers->turns, &turn->node);
        free(turn);
    }
}

/* Once killed they are waited for, so that none is left behind, but only until the deadline: what
 * one holds is closed by its end, which may take as long as others like. */
static void end_carrier(struct platform *platform, struct carrier *carrier, uint64_t deadline_us) {
    pid_t pid = carrier->pid;
    deadline_us =
        carrier->is_busy ? deadline_us : PLATFORM_WAIT_FOREVER; /* an idle one just goes */
    carrier_remove(platform, carrier);
    if (!posix_elders_has(platform, pid)) {
        return; /* it has been killed, and reaped */
    }
    while (posix_child_look(P_PID, pid, WEXITED) != pid) {
        if (platform_now_us(platform) >= deadline_us) {
            return;
        }
        posix_await(platform, platform->children.descriptor, POLLIN, deadline_us);
        posix_children_take_signal(platform);
    }
    posix_child_await(pid);
    posix_elders_forget(platform, pid);
}

void posix_carriers_close(struct platform *platform) {
    struct posix_carriers *carriers = &platform->carriers;
    carriers->is_looking = true; /* nothing is begun any more, and no answer taken */
    for (struct carrier *at = carriers->first; at != NULL; at = at->next) {
        int dropped = at->dropped; /* it may just have closed its copy */
        at->dropped = -1;
        if (dropped >= 0) {
            close_soon(platform, dropped, at->dropped_is_socket, at->turn->owner);
        }
    }
    leave_rest(platform);
    for (struct carrier *at = carriers->first; at != NULL; at = at->next) {
        if (posix_elders_has(platform, at->pid)) {
            kill(at->pid, SIGKILL);
        }
    }
    uint64_t deadline_us = platform_now_us(platform) + 1000u * END_WAIT_MS;
    while (carriers->first != NULL) {
        end_carrier(platform, carriers->first, deadline_us);
    }
    carrier_give_spares(platform);
}
