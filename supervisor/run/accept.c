/* Accept: who comes in at a listener, and what is launched for those who wait at one that is handed
 * over. */
#include "core/door/access.h"
#include "run/internal.h"

#define MINUTE_US 60000000u
/* Rounds of the loop in a row with clients at one listener, from which on there is more than one in
 * a round, and at last 16 are. */
#define STREAK_COUNT 4u
#define STREAK_MAX_COUNT 7u

/* Those behind it come first when listeners are watched again. */
static void note_turn(struct supervisor *s, const struct run_listener *l) {
    s->listening.turn = (uint32_t)(l - s->listening.listeners) + 1;
}

/* ---- Listeners that are lent to handlers ---- */

/* What an activation at `place` takes along, or gives back. */
static void set_lent(struct supervisor *s, uint32_t service, uint32_t place, bool lent) {
    const struct service *rules = services_get(&s->services, service);
    for (uint32_t i = 0; i < rules->listen_count; i++) {
        if (i == place || !rules->has_channel) {
            run_listen_at(s, service, i)->lent = lent;
        }
    }
}

/* Somebody waits at a listener that is handed over: from here on it is not watched until the
 * process that gets it has ended. */
static void activate(struct supervisor *s, struct run_listener *l) {
    struct pool_arrival arrival = {.service = l->service,
                                   .place = l->place,
                                   .local = l->address,
                                   .wall_us = platform_wall_us(s->platform)};
    if (!run_listen_is_complete(s, l->service)) {
        run_pause_update_listener(s, l);
        return;
    }
    const struct service *rules = l->rules;
    if (rules->hours_count > 0 && !access_is_open(rules, platform_local_minute(arrival.wall_us))) {
        /* Nobody can be refused here: who waits is looked at again when another minute begins. */
        pool_pause_service(&s->pool, l->service, POOL_HOURS_TEXT,
                           MINUTE_US - (uint64_t)arrival.wall_us % MINUTE_US);
        run_pause_on_room(s, l->service, false);
        return;
    }
    uint32_t connection = pool_accept(&s->pool, &arrival);
    s->sockets[connection] = PLATFORM_SOCKET_NONE;
    note_turn(s, l);
    set_lent(s, l->service, l->place, true);
    run_pause_update_service(s, l->service);
}

void run_accept_note_waiting(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    r->identifies = s->pool.services[service].breaker.failures_count > 0;
    for (uint32_t i = 0; i < r->rules->listen_count; i++) {
        platform_listener_waiting(run_listen_at(s, service, i)->handle, r->identifies,
                                  &r->waiting[i]);
    }
}

enum progress run_accept_judge(struct supervisor *s, uint32_t service) {
    const struct run_service *r = &s->launching.services[service];
    struct progress_sum sum = {0};
    struct waiting_set now;
    for (uint32_t i = 0; i < r->rules->listen_count; i++) {
        const struct run_listener *l = run_listen_at(s, service, i);
        if (r->waiting == NULL || l->handle == NULL) {
            return PROGRESS_UNKNOWN; /* a channel's; or the stop has closed it */
        }
        platform_listener_waiting(l->handle, r->identifies, &now);
        progress_add(&sum, &r->waiting[i], &now);
    }
    return progress_of(&sum);
}

void run_accept_give_back(struct supervisor *s, uint32_t service, uint32_t place) {
    set_lent(s, service, place, false);
    run_pause_update_service(s, service);
}

/* ---- Connections ---- */

void run_accept_name_local(struct supervisor *s, uint32_t connection) {
    struct connection *c = &s->pool.connections[connection];
    if (c->local.family == ADDRESS_NONE && platform_socket_is_open(s->sockets[connection]) &&
        !platform_socket_local(s->sockets[connection], &c->local)) {
        c->local = run_listen_at(s, c->service, c->place)->address;
    }
}

static void take(struct supervisor *s, struct pool_arrival *arrival,
                 struct platform_socket socket) {
    arrival->wall_us = platform_wall_us(s->platform);
    const struct service *rules = services_get(&s->services, arrival->service);
    if (rules->hours_count > 0) {
        arrival->local_minute = platform_local_minute(arrival->wall_us);
    }
    if (rules->allow_gid_count > 0) {
        arrival->in_group =
            platform_socket_in_groups(socket, rules->allow_gids, rules->allow_gid_count);
    }
    uint32_t connection = pool_accept(&s->pool, arrival);
    s->sockets[connection] = socket;
    s->launching.services[arrival->service].last_place = arrival->place;
    run_pause_after_shortage(s);
    if (s->pool.connections[connection].state != CONNECTION_ENDED) {
        run_accept_name_local(s, connection);
    }
    if (s->pool.connections[connection].state == CONNECTION_PREFACE) {
        run_preface_start(s, connection);
    }
}

/* Who comes to such a listener comes to that address, which so need not be asked for. */
static bool is_named(const struct address *address) {
    return (address->family == ADDRESS_IPV4 || address->family == ADDRESS_IPV6) &&
           !address_is_any(address);
}

/* True if there may be another one. */
static bool accept_one(struct supervisor *s, struct run_listener *l) {
    struct platform_socket socket = PLATFORM_SOCKET_NONE;
    struct pool_arrival arrival = {.service = l->service, .place = l->place};
    struct baton_cause cause = {0};
    if (is_named(&l->address)) {
        arrival.local = l->address;
    }
    int result = platform_listener_accept(l->handle, &socket, &arrival.peer, &cause);
    switch (result) {
    case BATON_OK:
        run_pause_after_fault(s, l);
        note_turn(s, l);
        take(s, &arrival, socket);
        return pool_has_room(&s->pool, l->service); /* who comes when it is full tells so */
    case BATON_GONE:
        return true;
    case BATON_AGAIN:
        l->streak_count = 0;
        return false;
    case BATON_SHORTAGE:
    case BATON_NO_MEMORY:
        run_pause_on_shortage(s, l->service, result, &cause);
        return false;
    default:
        run_pause_on_fault(s, l, result, &cause);
        return false;
    }
}

/* Where one client came alone the next will not be there yet, and to ask would be in vain; where
 * they came round after round, twice as many are taken each time. Who is left is told of again. */
static void begin_round(struct supervisor *s, struct run_listener *l) {
    bool goes_on = l->told_in_round + 1 == s->rounds_count;
    uint32_t next_count =
        l->streak_count < STREAK_MAX_COUNT ? l->streak_count + 1 : STREAK_MAX_COUNT;
    l->streak_count = goes_on ? next_count : 0;
    l->takes_count = l->streak_count < STREAK_COUNT ? 1 : 2u << (l->streak_count - STREAK_COUNT);
    l->told_in_round = s->rounds_count;
}

bool run_accept_another(struct supervisor *s, struct run_listener *l) {
    return l->handle != NULL && !run_pause_is_blocked(s, l->service) &&
           pool_has_room(&s->pool, l->service) && accept_one(s, l);
}

void run_accept_succeed(struct supervisor *s, uint32_t service) {
    const struct service *rules = services_get(&s->services, service);
    for (uint32_t place = 0; place < rules->listen_count; place++) {
        struct run_listener *l = run_listen_at(s, service, place);
        if (l->lent) {
            set_lent(s, service, place, false);
            if (rules->workers_count == 0 && pool_has_room(&s->pool, service)) {
                activate(s, l);
            }
        }
        if (!rules->has_channel) {
            break; /* that one has them all */
        }
    }
}

bool run_accept_next(struct supervisor *s, uint32_t listener) {
    struct run_listener *l = &s->listening.listeners[listener];
    if (l->rules->workers_count > 0) {
        return false; /* they alone accept, also while there are none: it was not paused yet */
    }
    if (l->told_in_round != s->rounds_count) {
        begin_round(s, l);
    }
    if (l->handle == NULL || run_pause_is_blocked(s, l->service) || l->lent ||
        shortage_lasts(&l->accepting)) {
        return false;
    }
    if (!pool_has_room(&s->pool, l->service)) {
        run_pause_on_room(s, l->service, false);
        return false;
    }
    if (l->rules->handoff == HANDOFF_LISTENER) {
        activate(s, l);
        return false;
    }
    return accept_one(s, l) && --l->takes_count > 0;
}
