#include "platform/posix/carriers.h"

#include "core/base/must.h"
#include "platform/posix/carrier.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* All are held if none of them has answered for so long. */
#define HELD_US 10000u
/* How long the last one stays when there is nothing to do. */
#define IDLE_US 1000000u
/* Until the next try, when the system had no memory or process for it. */
#define SHORT_US 100000u
/* At the end: for the last one to take what is left, and for idle ones to go. */
#define END_WAIT_MS 1000

/* What has the pipe's other end still, or cannot be told. */
struct closing {
    int descriptor;
    const void *owner;
};

/* ---- What one does ---- */

static void make_busy(struct platform *platform, struct carrier *carrier, const void *owner,
                      struct carrier_job *job) {
    carrier->is_busy = true;
    carrier->owner = owner;
    carrier->job = job;
    platform->carriers.progress_us = platform_now_us(platform);
}

static bool begin_job(struct platform *platform, struct carrier *carrier, struct carrier_job *job) {
    const struct request request = {ORDER_WORK, job->work, job->length};
    if (job->bytes != NULL) {
        memcpy(carrier->bytes, job->bytes, job->length);
    }
    if (!carrier_send(carrier, &request, job->descriptor)) {
        return false;
    }
    make_busy(platform, carrier, job->owner, job);
    job->state = CARRIER_JOB_RUNS;
    return true;
}

/* Ours is closed first, while the carrier or the packet to it has a copy: then it is not the last.
 */
static bool begin_closing(struct platform *platform, struct carrier *carrier,
                          const struct closing *closing) {
    const struct request request = {ORDER_CLOSE, NULL, 0};
    if (!carrier_send(carrier, &request, closing->descriptor)) {
        return false;
    }
    close(closing->descriptor);
    (void)carrier_send(carrier, &request, -1); /* if it cannot be told, it has been killed */
    make_busy(platform, carrier, closing->owner, NULL);
    return true;
}

/* ---- What is to be done ---- */

int posix_carriers_open(struct platform *platform, size_t pipe_count) {
    struct posix_carriers *carriers = &platform->carriers;
    carriers->closing_room_count = pipe_count;
    carriers->closings = malloc(carriers->closing_room_count * sizeof *carriers->closings);
    carrier_keep_spares(platform);
    return carriers->closings == NULL ? BATON_NO_MEMORY : BATON_OK;
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

void posix_carriers_give(struct platform *platform, struct carrier_job *job) {
    struct posix_carriers *carriers = &platform->carriers;
    job->state = CARRIER_JOB_WAITS;
    job->next = NULL;
    *(carriers->last_job != NULL ? &carriers->last_job->next : &carriers->first_job) = job;
    carriers->last_job = job;
}

static void take_out(struct posix_carriers *carriers, struct carrier_job *job) {
    struct carrier_job *before = NULL;
    struct carrier_job *at = carriers->first_job;
    while (at != job) {
        before = at;
        at = at->next;
    }
    *(before != NULL ? &before->next : &carriers->first_job) = job->next;
    carriers->last_job = carriers->last_job == job ? before : carriers->last_job;
}

/* True if nobody has the other end of the pipe: then nobody has its lock. */
static bool is_alone(int descriptor) {
    struct pollfd look = {.fd = descriptor, .events = 0};
    return poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

static void close_soon(struct platform *platform, int descriptor, bool is_socket,
                       const void *owner) {
    struct posix_carriers *carriers = &platform->carriers;
    if (is_socket || descriptor < 0) {
        posix_let_go(platform, &descriptor);
    } else if (is_alone(descriptor)) {
        close(descriptor);
    } else if (carriers->closing_count < carriers->closing_room_count) {
        carriers->closings[carriers->closing_count++] = (struct closing){descriptor, owner};
    } else {
        posix_let_go(platform, &descriptor);
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
        take_out(&platform->carriers, job);
        job->state = CARRIER_JOB_NONE;
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
    enum carrier_job_state state = job->state;
    job->state = CARRIER_JOB_NONE;
    if (state == CARRIER_JOB_RUNS) {
        struct carrier *carrier = find_carrier(carriers, job);
        must(carrier != NULL);
        carrier->job = NULL;
        carrier->dropped = job->descriptor;
        carrier->dropped_is_socket = job->is_socket;
    } else {
        if (state == CARRIER_JOB_WAITS) {
            take_out(carriers, job);
        }
        close_soon(platform, job->descriptor, job->is_socket, job->owner);
    }
    job->descriptor = -1;
}

/* ---- Who does it ---- */

static bool may_have_one_more(const struct posix_carriers *carriers, const void *owner) {
    unsigned count = 0;
    for (const struct carrier *at = carriers->first; at != NULL; at = at->next) {
        count += at->is_busy && at->owner == owner ? 1 : 0;
    }
    return count < CARRIERS_PER_OWNER;
}

/* The oldest that an owner may have done now; NULL = none. */
static struct carrier_job *next_job(const struct posix_carriers *carriers) {
    struct carrier_job *job = carriers->first_job;
    while (job != NULL && !may_have_one_more(carriers, job->owner)) {
        job = job->next;
    }
    return job;
}

static struct closing *next_closing(const struct posix_carriers *carriers) {
    for (size_t i = 0; i < carriers->closing_count; i++) {
        if (may_have_one_more(carriers, carriers->closings[i].owner)) {
            return &carriers->closings[i];
        }
    }
    return NULL;
}

static struct carrier *find_idle(const struct posix_carriers *carriers) {
    struct carrier *carrier = carriers->first;
    while (carrier != NULL && carrier->is_busy) {
        carrier = carrier->next;
    }
    return carrier;
}

/* An idle one, or a new one if all are held; NULL: `*again_us` tells when to ask again. */
static struct carrier *find_or_start(struct platform *platform, uint64_t now_us,
                                     uint64_t *again_us) {
    const struct posix_carriers *carriers = &platform->carriers;
    struct carrier *carrier = find_idle(carriers);
    struct baton_cause ignored;
    uint64_t held_us = carriers->first == NULL ? 0 : carriers->progress_us + HELD_US;
    if (carrier != NULL) {
        return carrier;
    }
    if (now_us < carriers->short_until_us) {
        held_us = carriers->short_until_us;
    }
    if (now_us < held_us) {
        *again_us = held_us;
        return NULL;
    }
    carrier = carrier_start(platform, &ignored);
    if (carrier == NULL) {
        platform->carriers.short_until_us = now_us + SHORT_US;
        *again_us = now_us + SHORT_US;
    }
    return carrier;
}

/* False if the carrier takes nothing now: the system is short of something, or it has been killed,
 * which its socket will tell. */
static bool begin_next(struct platform *platform, struct carrier *carrier, struct carrier_job *job,
                       struct closing *closing) {
    struct posix_carriers *carriers = &platform->carriers;
    if (job != NULL) {
        take_out(carriers, job);
        if (!begin_job(platform, carrier, job)) {
            posix_carriers_give(platform, job);
            return false;
        }
        return true;
    }
    if (!begin_closing(platform, carrier, closing)) {
        return false;
    }
    size_t behind = carriers->closing_count - (size_t)(closing - carriers->closings) - 1;
    memmove(closing, closing + 1, behind * sizeof *closing);
    carriers->closing_count--;
    return true;
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
    carrier->is_busy = false;
    carrier->job = NULL;
    carrier->dropped = -1;
    close_soon(platform, dropped, carrier->dropped_is_socket, carrier->owner);
}

/* One idle one is enough, whatever a crowd has needed. */
static void send_home(struct platform *platform, struct carrier *carrier) {
    struct posix_carriers *carriers = &platform->carriers;
    carrier->is_busy = true;
    bool has_other = find_idle(carriers) != NULL;
    carrier->is_busy = false;
    if (has_other && carriers->first_job == NULL && carriers->closing_count == 0) {
        carrier_remove(platform, carrier);
    }
}

void posix_carriers_on_news(struct platform *platform, struct posix_watch *watch) {
    struct carrier *carrier = (struct carrier *)watch;
    if (carrier->is_full) {
        return; /* it has been killed, and is looked at when its answer was taken */
    }
    ssize_t got = recv(watch->descriptor, &carrier->answer, sizeof carrier->answer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got == sizeof carrier->answer) {
        platform->carriers.progress_us = platform_now_us(platform);
        finish(platform, carrier);
        if (!carrier->is_busy) {
            send_home(platform, carrier);
        }
        return;
    }
    carrier->answer = (struct answer){-1, ECANCELED};
    finish(platform, carrier);
    if (!carrier->is_full) {
        carrier_remove(platform, carrier);
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

void posix_carriers_feed(struct platform *platform, uint64_t now_us, uint64_t *again_us) {
    struct posix_carriers *carriers = &platform->carriers;
    *again_us = UINT64_MAX;
    for (struct carrier *at = carriers->first; at != NULL; at = at->next) {
        if (at->is_full) {
            finish(platform, at);
            *again_us = at->is_full ? now_us + SHORT_US : *again_us;
        }
    }
    for (;;) {
        struct carrier_job *job = next_job(carriers);
        struct closing *closing = job == NULL ? next_closing(carriers) : NULL;
        if (job == NULL && closing == NULL) {
            uint64_t idle_us = end_idle(platform, now_us);
            *again_us = idle_us < *again_us ? idle_us : *again_us;
            return;
        }
        uint64_t later_us = UINT64_MAX;
        struct carrier *carrier = find_or_start(platform, now_us, &later_us);
        if (carrier != NULL && begin_next(platform, carrier, job, closing)) {
            continue;
        }
        later_us = carrier != NULL ? now_us + SHORT_US : later_us;
        *again_us = later_us < *again_us ? later_us : *again_us;
        return;
    }
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

/* The last copies are then somebody else's, and this process ends without closing them. */
static void leave_rest(struct platform *platform) {
    struct posix_carriers *carriers = &platform->carriers;
    const struct request request = {ORDER_HOLD, NULL, 0};
    struct baton_cause ignored;
    struct carrier *heir = carriers->closing_count == 0 ? NULL : find_idle(carriers);
    if (carriers->closing_count > 0 && heir == NULL) {
        heir = carrier_start(platform, &ignored);
    }
    while (heir != NULL && carriers->closing_count > 0) {
        int *descriptor = &carriers->closings[carriers->closing_count - 1].descriptor;
        struct pollfd room = {.fd = heir->watch.descriptor, .events = POLLOUT};
        if (carrier_send(heir, &request, *descriptor)) {
            posix_close_descriptor(descriptor);
            carriers->closing_count--;
        } else if (errno != EAGAIN || poll(&room, 1, END_WAIT_MS) != 1) {
            break;
        }
    }
    if (heir != NULL) {
        heir->is_busy = true;
    }
}

/* What it holds is closed by its end, which takes as long as it takes. Idle ones are waited for, so
 * that none is left behind. */
static void end_carrier(struct platform *platform, struct carrier *carrier) {
    pid_t pid = carrier->pid;
    bool is_idle = !carrier->is_busy;
    carrier_remove(platform, carrier);
    if (!posix_elders_has(platform, pid)) {
        return; /* it has been killed, and reaped */
    }
    kill(pid, SIGKILL);
    if (is_idle) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        posix_elders_forget(platform, pid);
    }
}

void posix_carriers_close(struct platform *platform) {
    struct posix_carriers *carriers = &platform->carriers;
    for (struct carrier *at = carriers->first; at != NULL; at = at->next) {
        close_soon(platform, at->dropped, at->dropped_is_socket,
                   at->owner); /* it may just have closed its copy */
    }
    leave_rest(platform);
    while (carriers->first != NULL) {
        end_carrier(platform, carriers->first);
    }
    for (size_t i = 0; i < carriers->closing_count; i++) {
        posix_let_go(platform, &carriers->closings[i].descriptor);
    }
    free(carriers->closings);
    carriers->closings = NULL;
    carrier_give_spares(platform);
}
