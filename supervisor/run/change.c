#include "core/service/difference.h"
#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_BYTES 256u

/* Of a slot. */
enum fate {
    FATE_NONE, /* of an earlier config, or not in use when the plan was made */
    FATE_STAYS,
    FATE_REPLACED, /* by what the table has of that name */
    FATE_REMOVED
};

const char *run_change_word(enum run_change_kind kind) {
    return text_nth("added\0removed\0changed\0unchanged\0", (unsigned)kind);
}

/* ---- The plan ---- */

bool run_change_plan(const struct supervisor *s, const struct service_table *table,
                     struct run_plan *plan) {
    size_t count = table->service_count + 1;
    *plan = (struct run_plan){.table = table};
    plan->old = calloc(count, sizeof *plan->old);
    plan->added = calloc(count, sizeof *plan->added);
    plan->fates = calloc(SERVICES_MAX_COUNT, sizeof *plan->fates);
    if (plan->old == NULL || plan->added == NULL || plan->fates == NULL) {
        return false;
    }
    SLOTS_EACH(slot, &s->services.slots) {
        plan->fates[slot] = s->roster.states[slot] == ROSTER_GONE ? FATE_NONE : FATE_REMOVED;
    }
    for (size_t i = 0; i < table->service_count; i++) {
        const struct service *service = &table->services[i];
        uint32_t old = plan->old[i] = run_roster_find(s, service->name);
        plan->added[i] = SLOT_NONE;
        if (old != SLOT_NONE) {
            bool is_same = service_is_same(services_get(&s->services, old), service);
            plan->fates[old] = is_same ? FATE_STAYS : FATE_REPLACED;
        }
    }
    return true;
}

void run_change_free(struct run_plan *plan) {
    free(plan->old);
    free(plan->added);
    free(plan->fates);
}

static enum run_change_kind kind_of(const struct run_plan *plan, size_t i) {
    return plan->old[i] == SLOT_NONE                    ? CHANGE_ADDED
           : plan->fates[plan->old[i]] == FATE_REPLACED ? CHANGE_CHANGED
                                                        : CHANGE_UNCHANGED;
}

static bool is_off(const struct supervisor *s, uint32_t service) {
    return service != SLOT_NONE && s->roster.states[service] == ROSTER_OFF;
}

const char *run_change_find_loss(const struct supervisor *s, const struct run_plan *plan) {
    for (size_t i = 0; i < plan->table->service_count; i++) {
        if (kind_of(plan, i) == CHANGE_CHANGED && plan->table->services[i].lacks &&
            s->launching.services[plan->old[i]].is_ready) {
            return plan->table->services[i].name;
        }
    }
    return NULL;
}

void run_change_tell_all(struct supervisor *s, const struct run_plan *plan, run_change_tell *tell) {
    char keys[KEYS_BYTES];
    for (size_t i = 0; i < plan->table->service_count; i++) {
        const struct service *service = &plan->table->services[i];
        struct run_change change = {
            .kind = kind_of(plan, i), .is_off = is_off(s, plan->old[i]), .name = service->name};
        if (change.kind == CHANGE_CHANGED) {
            change.keys = service_name_changes(services_get(&s->services, plan->old[i]), service,
                                               keys, sizeof keys);
        }
        tell(s, &change);
    }
    SLOTS_EACH(slot, &s->services.slots) {
        if (plan->fates[slot] == FATE_REMOVED) {
            struct run_change change = {.kind = CHANGE_REMOVED,
                                        .is_off = is_off(s, slot),
                                        .name = services_get(&s->services, slot)->name};
            tell(s, &change);
        }
    }
}

/* ---- What can fail ---- */

bool run_change_add(struct supervisor *s, struct run_plan *plan) {
    bool all = true;
    for (size_t i = 0; i < plan->table->service_count && all; i++) {
        if (kind_of(plan, i) != CHANGE_UNCHANGED) {
            plan->added[i] = run_roster_add(s, &plan->table->services[i]);
            all = plan->added[i] != SLOT_NONE;
        }
    }
    for (size_t i = 0; i < plan->table->service_count && !all; i++) {
        if (plan->added[i] != SLOT_NONE) {
            run_roster_retire(s, plan->added[i]);
        }
    }
    return all;
}

/* ---- Listeners ---- */

/* True if `slot` has listeners, and is to leave. */
static bool leaves(const struct supervisor *s, const struct run_plan *plan, uint32_t slot) {
    return plan->fates[slot] >= FATE_REPLACED && s->launching.services[slot].is_ready &&
           s->roster.states[slot] == ROSTER_ON;
}

/* Takes the listener that `from` has open at that place. False if it has none. */
static bool take_from(struct supervisor *s, uint32_t from, uint32_t to, uint32_t place) {
    const struct service *old = services_get(&s->services, from);
    const struct service *rules = services_get(&s->services, to);
    for (uint32_t i = 0; i < old->listen_count; i++) {
        if (service_is_same_place(old, i, rules, place) &&
            run_listen_at(s, from, i)->handle != NULL) {
            run_listen_move(s, from, i, to, place);
            return true;
        }
    }
    return false;
}

/* Its predecessor has them, as a rule. */
static void take_listeners(struct supervisor *s, struct run_plan *plan, size_t i) {
    uint32_t to = plan->added[i], old = plan->old[i];
    const struct service *rules = services_get(&s->services, to);
    for (uint32_t place = 0; place < rules->listen_count && s->launching.services[to].is_ready;
         place++) {
        bool is_any_port =
            rules->listen[place].path == NULL && rules->listen[place].address.port == 0;
        bool has = is_any_port; /* another's is none of its own */
        if (old != SLOT_NONE && leaves(s, plan, old)) {
            has = take_from(s, old, to, place) || has;
        }
        for (uint32_t from = 0; from < s->services.slots.used_mark && !has; from++) {
            has = slots_is_used(&s->services.slots, from) && leaves(s, plan, from) &&
                  take_from(s, from, to, place);
        }
    }
}

/* ---- Carrying it out ---- */

static void let_go(struct supervisor *s, struct run_plan *plan) {
    for (size_t i = 0; i < plan->table->service_count; i++) {
        if (is_off(s, plan->old[i]) && plan->added[i] != SLOT_NONE) {
            run_roster_replace_off(s, plan->old[i], plan->added[i]);
            plan->added[i] = SLOT_NONE;
        }
    }
    SLOTS_EACH(slot, &s->services.slots) {
        if (plan->fates[slot] >= FATE_REPLACED && s->roster.states[slot] == ROSTER_ON) {
            run_roster_retire(s, slot);
        } else if (plan->fates[slot] == FATE_REMOVED && is_off(s, slot)) {
            run_roster_replace_off(s, slot, SLOT_NONE);
        }
    }
}

void run_change_carry_out(struct supervisor *s, struct run_plan *plan) {
    const size_t count = plan->table->service_count;
    for (size_t i = 0; i < count; i++) {
        if (plan->added[i] == SLOT_NONE) {
            services_move_lines(&s->services, plan->old[i], &plan->table->services[i]);
        } else if (!is_off(s, plan->old[i])) {
            take_listeners(s, plan, i);
        }
    }
    for (size_t i = 0; i < count; i++) { /* before anything is closed */
        if (plan->added[i] != SLOT_NONE && !is_off(s, plan->old[i])) {
            run_listen_open_first(s, plan->added[i]);
        }
    }
    let_go(s, plan);
    for (size_t i = 0; i < count; i++) {
        if (plan->added[i] != SLOT_NONE) {
            run_roster_begin(s, plan->added[i]);
        }
    }
}
