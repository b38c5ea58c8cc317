#include "run/waits.h"

#include "run/internal.h"

static const uint32_t delays_us[RUN_WAITS_COUNT] = {
    [RUN_WAIT_RECORD] = 100000,
    [RUN_WAIT_MEASURE] = LIVING_MEASURE_INTERVAL_US,
};

static struct run_waiting *waiting_of(struct supervisor *s, enum run_wait wait, uint32_t process) {
    return &s->launching.processes[process].waiting[wait];
}

void run_waits_create(struct supervisor *s) {
    for (unsigned wait = 0; wait < RUN_WAITS_COUNT; wait++) {
        s->launching.waits[wait] =
            (struct run_waits){.first = SLOT_NONE,
                               .last = SLOT_NONE,
                               .timer = {.token = token_make(RUN_TOKEN_WAITS, 0, wait)}};
    }
}

bool run_waits_has(const struct supervisor *s, enum run_wait wait, uint32_t process) {
    return s->launching.processes[process].waiting[wait].due_us != 0;
}

/* The links to the process, from either side. */
static uint32_t *link_before(struct supervisor *s, enum run_wait wait, uint32_t previous) {
    return previous == SLOT_NONE ? &s->launching.waits[wait].first
                                 : &waiting_of(s, wait, previous)->next;
}

static uint32_t *link_behind(struct supervisor *s, enum run_wait wait, uint32_t next) {
    return next == SLOT_NONE ? &s->launching.waits[wait].last
                             : &waiting_of(s, wait, next)->previous;
}

void run_waits_add(struct supervisor *s, enum run_wait wait, uint32_t process) {
    struct run_waits *waits = &s->launching.waits[wait];
    struct run_waiting *w = waiting_of(s, wait, process);
    *w = (struct run_waiting){
        .due_us = s->timers.now_us + delays_us[wait], .next = SLOT_NONE, .previous = waits->last};
    *link_before(s, wait, w->previous) = waits->last = process;
    if (!timer_is_set(&waits->timer)) {
        timers_set(&s->timers, &waits->timer, w->due_us);
    }
}

void run_waits_remove(struct supervisor *s, enum run_wait wait, uint32_t process) {
    struct run_waiting *w = waiting_of(s, wait, process);
    if (w->due_us == 0) {
        return;
    }
    w->due_us = 0;
    *link_before(s, wait, w->previous) = w->next;
    *link_behind(s, wait, w->next) = w->previous;
    if (s->launching.waits[wait].first == SLOT_NONE) {
        timers_unset(&s->timers, &s->launching.waits[wait].timer);
    }
}

uint32_t run_waits_take(struct supervisor *s, enum run_wait wait) {
    struct run_waits *waits = &s->launching.waits[wait];
    uint32_t process = waits->first;
    if (process == SLOT_NONE) {
        return SLOT_NONE;
    }
    uint64_t due_us = waiting_of(s, wait, process)->due_us;
    if (due_us > s->timers.now_us) {
        timers_set(&s->timers, &waits->timer, due_us);
        return SLOT_NONE;
    }
    run_waits_remove(s, wait, process);
    return process;
}
