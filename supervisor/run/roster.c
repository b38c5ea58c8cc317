#include "run/internal.h"

#include <string.h>

/* Clients of a listener that is closed who are taken first, at most. */
#define REST_MAX_COUNT 1024u

uint32_t run_roster_find(const struct supervisor *s, const char *name) {
    SLOTS_EACH(service, &s->services.slots) {
        if (s->roster.states[service] != ROSTER_GONE &&
            strcmp(services_get(&s->services, service)->name, name) == 0) {
            return service;
        }
    }
    return SLOT_NONE;
}

uint32_t run_roster_count(const struct supervisor *s) {
    uint32_t count = 0;
    SLOTS_EACH(service, &s->services.slots) {
        count += s->roster.states[service] == ROSTER_ON ? 1 : 0;
    }
    return count;
}

uint32_t run_roster_add(struct supervisor *s, const struct service *service) {
    uint32_t slot = services_add(&s->services, service);
    if (slot == SLOT_NONE) {
        return SLOT_NONE;
    }
    pool_add_service(&s->pool, slot);
    services_release(&s->services, slot); /* the pool holds it now */
    s->roster.states[slot] = ROSTER_ON;
    run_start_prepare(s, slot);
    return slot;
}

/* The system would reset who waits there. Those who come between the last look and the close it
 * resets all the same. */
static void take_rest(struct supervisor *s, uint32_t service) {
    const struct run_service *r = &s->launching.services[service];
    if (r->rules->handoff == HANDOFF_LISTENER) {
        return;
    }
    for (uint32_t place = 0; place < r->rules->listen_count; place++) {
        struct run_listener *l = run_listen_at(s, service, place);
        for (uint32_t i = 0; i < REST_MAX_COUNT && run_accept_another(s, l); i++) {
        }
    }
}

void run_roster_retire(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    s->roster.states[service] = ROSTER_GONE;
    shortage_relieve(&r->starting, &s->timers);
    shortage_relieve(&r->renewing, &s->timers);
    timers_unset(&s->timers, &r->workers);
    platform_file_watch_close(&r->file);
    if (r->listeners != NULL) {
        take_rest(s, service);
        run_listen_close_service(s, service);
    }
    pool_retire_service(&s->pool, service);
}

/* As it was in earlier configs, too: to its user it is one service. */
static void stop_all_versions(struct supervisor *s, uint32_t service) {
    const char *name = services_get(&s->services, service)->name;
    SLOTS_EACH(slot, &s->services.slots) {
        const struct pool_service *p = &s->pool.services[slot];
        if ((p->live_count > 0 || p->process_count > 0) &&
            strcmp(services_get(&s->services, slot)->name, name) == 0) {
            pool_stop_service(&s->pool, slot);
        }
    }
}

void run_roster_switch_off(struct supervisor *s, uint32_t service, bool stops) {
    if (s->roster.states[service] == ROSTER_ON) {
        services_share(&s->services, service); /* the roster does */
        run_roster_retire(s, service);
        s->roster.states[service] = ROSTER_OFF;
    }
    if (stops) {
        stop_all_versions(s, service);
    }
}

uint32_t run_roster_switch_on(struct supervisor *s, uint32_t service) {
    if (s->roster.states[service] != ROSTER_OFF) {
        return service;
    }
    uint32_t slot = run_roster_add(s, services_get(&s->services, service));
    if (slot != SLOT_NONE) {
        run_roster_replace_off(s, service, SLOT_NONE);
        run_roster_begin(s, slot);
    }
    return slot;
}

void run_roster_replace_off(struct supervisor *s, uint32_t service, uint32_t other) {
    s->roster.states[service] = ROSTER_GONE;
    services_release(&s->services, service);
    if (other != SLOT_NONE) {
        run_roster_switch_off(s, other, false);
    }
}

void run_roster_begin(struct supervisor *s, uint32_t service) {
    if (!s->launching.services[service].is_ready) {
        run_start_retry(s, service);
        return;
    }
    run_listen_open_service(s, service);
    run_accept_succeed(s, service);
    run_pause_update_service(s, service);
}
