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

static void set_due(struct supervisor *s, uint32_t service) {
    struct timer *timer = &s->launching.services[service].workers;
    if (!pool_has_room(&s->pool, service)) {
        pool_await_room(&s->pool, service);
    } else if (!timer_is_set(timer)) {
        timers_after(&s->timers, timer, NEXT_ROUND_US);
    }
}

void run_workers_update(struct supervisor *s, const struct run_listener *listener) {
    if (!s->stopping && !s->listening.blocked &&
        lacks_one(standing_for(s, listener->service, listener->place))) {
        set_due(s, listener->service);
    }
}

void run_workers_launch(struct supervisor *s, uint32_t service) {
    struct run_listener *l = find_lacking(s, service);
    if (l == NULL || !pool_has_room(&s->pool, service)) {
        if (l != NULL) {
            set_due(s, service);
        }
        return;
    }
    struct pool_arrival arrival = {
        .service = service, .place = l->place, .wall_us = platform_wall_us(s->platform)};
    if (l->rules->has_channel || l->rules->listen_count == 1) {
        arrival.local = l->address;
    }
    l->workers_count++;
    s->sockets[pool_accept(&s->pool, &arrival)] = PLATFORM_SOCKET_NONE;
    if (find_lacking(s, service) != NULL) {
        set_due(s, service);
    }
}

/* ---- Replacing them ---- */

static bool is_worker_at(struct supervisor *s, uint32_t connection, const struct run_listener *l) {
    const struct connection *c = &s->pool.connections[connection];
    return c->service == l->service && c->is_activation && c->state == CONNECTION_HELD &&
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
    pool_dismiss_worker(&s->pool, connection);
}

void run_workers_on_taken(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    struct run_listener *l = standing_for(s, c->service, c->place);
    uint32_t oldest = SLOT_NONE;
    if (l->outdated_count == 0 || l->workers_count <= l->rules->workers_count) {
        return;
    }
    SLOTS_EACH(slot, &s->pool.connection_slots) {
        if (is_worker_at(s, slot, l) && is_outdated(l, &s->pool.connections[slot]) &&
            (oldest == SLOT_NONE ||
             s->pool.connections[slot].id < s->pool.connections[oldest].id)) {
            oldest = slot;
        }
    }
    if (oldest != SLOT_NONE) {
        dismiss(s, oldest, l);
        run_workers_update(s, l);
    }
}

void run_workers_on_end(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    const struct service *rules = c->rules;
    struct run_listener *l = standing_for(s, c->service, c->place);
    if (!c->is_dismissed) {
        leave(l, c);
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
        if (is_worker_at(s, slot, l)) {
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
        run_workers_update(s, l);
    }
}
