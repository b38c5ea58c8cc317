#include "run/workers.h"

#include "run/internal.h"

/* The listener that stands for those who have this one. */
static struct run_listener *standing_for(struct supervisor *s, uint32_t service, uint32_t place) {
    bool is_alone = services_get(&s->services, service)->has_channel;
    return run_listen_at(s, service, is_alone ? place : 0);
}

/* One more while they are replaced, so that there is never one less. */
static bool lacks_one(const struct run_listener *l) {
    bool is_replaced = l->outdated_count > 0;
    return l->handle != NULL && l->workers_count < l->rules->workers_count + is_replaced;
}

/* The place that has the fewest; NULL = none lacks any, or none may be launched now. */
static struct run_listener *find_lacking(struct supervisor *s, uint32_t service) {
    const struct service *rules = services_get(&s->services, service);
    struct run_listener *least = NULL;
    if (s->stopping || s->listening.blocked || !run_listen_is_complete(s, service)) {
        return NULL;
    }
    for (uint32_t place = 0; place < (rules->has_channel ? rules->listen_count : 1); place++) {
        struct run_listener *l = run_listen_at(s, service, place);
        if (lacks_one(l) && (least == NULL || l->workers_count < least->workers_count)) {
            least = l;
        }
    }
    return least;
}

/* In the next round: what comes in meanwhile has its turn. */
#define NEXT_ROUND_US 1u

static void set_timer(struct supervisor *s, uint32_t service, uint64_t due_us) {
    struct timer *timer = &s->launching.services[service].workers;
    if (!timer_is_set(timer) || timer->deadline_us > due_us) {
        timers_set(&s->timers, timer, due_us);
    }
}

/* Those that were told to drain have taken their time, and there may not be more of them. */
static void tell_crowded(struct supervisor *s, struct run_listener *l) {
    uint32_t live_count = s->pool.services[l->service].live_count;
    if (l->crowded_told || l->outdated_count == 0 || live_count < service_max_handlers(l->rules)) {
        return;
    }
    l->crowded_told = true;
    run_tell(
        s, LOG_LEVEL_WARNING, "launch_waits", l->service, "reason=%s processes=%u",
        "its workers of before take long to end, and twice as many as `workers` says are there",
        live_count);
}

static void set_due(struct supervisor *s, struct run_listener *l) {
    if (!pool_has_room(&s->pool, l->service)) {
        tell_crowded(s, l);
        pool_await_room(&s->pool, l->service);
    } else {
        set_timer(s, l->service, s->timers.now_us + NEXT_ROUND_US);
    }
}

void run_workers_update(struct supervisor *s, const struct run_listener *listener) {
    struct run_listener *l = standing_for(s, listener->service, listener->place);
    if (!s->stopping && !s->listening.blocked && lacks_one(l)) {
        set_due(s, l);
    }
}

static void launch(struct supervisor *s, uint32_t service) {
    struct run_listener *l = find_lacking(s, service);
    if (l == NULL || !pool_has_room(&s->pool, service)) {
        if (l != NULL) {
            set_due(s, l);
        }
        return;
    }
    struct pool_arrival arrival = {.service = service,
                                   .place = l->place,
                                   .is_trial = l->outdated_count > 0,
                                   .wall_us = platform_wall_us(s->platform)};
    if (l->rules->has_channel || l->rules->listen_count == 1) {
        arrival.local = l->address;
    }
    l->workers_count++;
    s->sockets[pool_accept(&s->pool, &arrival)] = PLATFORM_SOCKET_NONE;
    l = find_lacking(s, service);
    if (l != NULL) {
        set_due(s, l);
    }
}

/* ---- Replacing them ---- */

/* One that counts there; it may still have to take it. */
static bool is_worker_at(struct supervisor *s, uint32_t connection, const struct run_listener *l) {
    const struct connection *c = &s->pool.connections[connection];
    return c->service == l->service && c->is_activation && c->state != CONNECTION_ENDED &&
           !c->is_dismissed && standing_for(s, c->service, c->place) == l;
}

static bool is_outdated(const struct run_listener *l, const struct connection *c) {
    return c->id <= l->outdated_id;
}

/* It does not count any more. */
static void leave(struct run_listener *l, const struct connection *c) {
    l->workers_count--;
    l->outdated_count -= is_outdated(l, c) ? 1 : 0;
}

static void dismiss(struct supervisor *s, uint32_t connection, struct run_listener *l) {
    leave(l, &s->pool.connections[connection]);
    pool_dismiss(&s->pool, connection);
}

/* What is looked at to choose one of them. */
struct survey {
    uint32_t oldest;    /* that is outdated, and has taken it; SLOT_NONE */
    uint32_t youngest;  /* SLOT_NONE */
    bool has_fresh;     /* that are not outdated; */
    uint64_t proven_us; /* when the last of these will have lived for long enough; TIMERS_NEVER:
                           one has yet to take it */
};

static struct survey survey(struct supervisor *s, const struct run_listener *l) {
    const struct connection *all = s->pool.connections;
    struct survey found = {.oldest = SLOT_NONE, .youngest = SLOT_NONE};
    uint64_t trial_us = l->is_doubted ? BREAKER_LIVED_US : POOL_TRIAL_US;
    SLOTS_EACH(slot, &s->pool.connection_slots) {
        if (!is_worker_at(s, slot, l)) {
            continue;
        }
        bool is_held = all[slot].state == CONNECTION_HELD;
        if (found.youngest == SLOT_NONE || all[slot].id > all[found.youngest].id) {
            found.youngest = slot;
        }
        if (!is_outdated(l, &all[slot])) {
            uint64_t proven_us = is_held ? all[slot].acked_us + trial_us : TIMERS_NEVER;
            found.has_fresh = true;
            found.proven_us = proven_us > found.proven_us ? proven_us : found.proven_us;
        } else if (is_held && (found.oldest == SLOT_NONE || all[slot].id < all[found.oldest].id)) {
            found.oldest = slot;
        }
    }
    return found;
}

/* Where there is one more, for the sake of those that are outdated, tells one of them to drain, or
 * sees to it that this is looked at again. Not while others are held back: whoever fails then may
 * be what all are to be replaced by. */
static void replace(struct supervisor *s, struct run_listener *l) {
    const struct timer *pause = &s->pool.services[l->service].pause;
    if (s->stopping || l->outdated_count == 0 || l->workers_count <= l->rules->workers_count) {
        return;
    }
    struct survey found = survey(s, l);
    if (!found.has_fresh) { /* it was to replace others, and is outdated itself by now */
        if (s->pool.connections[found.youngest].state == CONNECTION_HELD) {
            dismiss(s, found.youngest, l);
        }
        return;
    }
    if (timer_is_set(pause) && pause->deadline_us > found.proven_us) {
        found.proven_us = pause->deadline_us;
    }
    if (found.proven_us > s->timers.now_us) {
        if (found.proven_us != TIMERS_NEVER) {
            set_timer(s, l->service, found.proven_us);
        }
    } else if (found.oldest != SLOT_NONE) {
        dismiss(s, found.oldest, l);
    }
}

void run_workers_on_taken(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    struct run_listener *l = standing_for(s, c->service, c->place);
    replace(s, l);
    run_workers_update(s, l);
}

void run_workers_on_timer(struct supervisor *s, uint32_t service) {
    const struct service *rules = services_get(&s->services, service);
    for (uint32_t place = 0; place < (rules->has_channel ? rules->listen_count : 1); place++) {
        replace(s, run_listen_at(s, service, place));
    }
    launch(s, service);
}

/* One that was to take the place of others has ended; these serve on. */
static void doubt(struct supervisor *s, struct run_listener *l, const struct connection *c) {
    uint64_t lived_us = c->acked_us == 0 ? 0 : c->ended_us - c->acked_us;
    if (lived_us >= BREAKER_LIVED_US || l->is_doubted || s->stopping) {
        return;
    }
    l->is_doubted = true;
    run_tell(s, LOG_LEVEL_WARNING, "replacement_failed", c->service, "pid=%u workers=%u reason=%s",
             c->pid, l->outdated_count,
             "a process of the new version has ended; those of the old one serve on, and it is "
             "tried again");
}

void run_workers_on_end(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    const struct service *rules = c->rules;
    struct run_listener *l = standing_for(s, c->service, c->place);
    if (!c->is_dismissed) {
        leave(l, c);
        if (l->outdated_count > 0 && !is_outdated(l, c)) {
            doubt(s, l, c);
        }
    }
    for (uint32_t place = 0; place < rules->listen_count; place++) {
        struct run_listener *given = run_listen_at(s, c->service, place);
        if (given->handle != NULL && (place == c->place || !rules->has_channel)) {
            platform_listener_check(given->handle);
        }
    }
}

void run_workers_on_lost(struct supervisor *s, const struct run_listener *listener) {
    struct run_listener *l = standing_for(s, listener->service, listener->place);
    SLOTS_EACH(slot, &s->pool.connection_slots) {
        if (is_worker_at(s, slot, l) && s->pool.connections[slot].state == CONNECTION_HELD) {
            dismiss(s, slot, l);
        }
    }
}

void run_workers_renew(struct supervisor *s, uint32_t service) {
    const struct service *rules = services_get(&s->services, service);
    for (uint32_t place = 0; place < rules->listen_count; place++) {
        struct run_listener *l = run_listen_at(s, service, place);
        l->outdated_id = s->pool.last_id;
        l->outdated_count = l->workers_count;
        l->is_doubted = l->crowded_told = false;
        replace(s, l);
        run_workers_update(s, l);
    }
}
