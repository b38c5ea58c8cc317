/* Waiting, and the clock. */
#include "platform/fake/internal.h"

static void add(struct platform_event *events, size_t *count, size_t capacity,
                enum platform_event_kind kind, uint64_t token) {
    if (*count < capacity) {
        events[(*count)++] = (struct platform_event){kind, token};
    }
}

/* Before anything else of these processes is. */
static void collect_launched(struct platform_event *events, size_t *count, size_t capacity) {
    struct fake_world *w = &fake_world;
    for (struct platform_process *p = w->launching; p != NULL && !w->holds_launches;
         p = p->next_launching) {
        if (p->is_launching && *count < capacity) {
            p->is_launching = false;
            add(events, count, capacity, PLATFORM_EVENT_LAUNCHED, p->face.token);
        }
    }
    if (w->launchers_due && *count < capacity) {
        w->launchers_due = false;
        add(events, count, capacity, PLATFORM_EVENT_LAUNCHERS, 0);
    }
}

static void collect_once(struct platform_event *events, size_t *count, size_t capacity) {
    struct fake_world *w = &fake_world;
    while (w->injected_count > 0 && *count < capacity) {
        events[(*count)++] = w->injected[--w->injected_count];
    }
    if (w->stop_due && *count < capacity) {
        w->stop_due = false;
        add(events, count, capacity, PLATFORM_EVENT_STOP, 0);
    }
    if (w->log_due && *count < capacity) {
        w->log_due = false;
        add(events, count, capacity, PLATFORM_EVENT_LOG_WRITABLE, 0);
    }
}

static void collect_process(struct platform_process *p, struct platform_event *events,
                            size_t *count, size_t capacity) {
    if (p->face.is_closed || p->face.is_launching) {
        return;
    }
    if (!p->face.is_alive && !p->exit_told && *count < capacity) {
        p->exit_told = true;
        add(events, count, capacity, PLATFORM_EVENT_EXIT, p->face.token);
    }
    if (p->measured_due) {
        p->measured_due = false;
        add(events, count, capacity, PLATFORM_EVENT_MEASURED, p->face.token);
    }
    if (!p->face.supervisor_end_open) {
        return;
    }
    if ((p->to_supervisor.first != NULL && !p->is_broken) ||
        (!p->face.handler_end_open && !p->end_told)) {
        add(events, count, capacity, PLATFORM_EVENT_CHANNEL, p->face.token);
    }
    if (p->writable_due && *count < capacity) {
        p->writable_due = false;
        add(events, count, capacity, PLATFORM_EVENT_WRITABLE, p->face.token);
    }
}

static size_t collect(struct platform_event *events, size_t capacity) {
    size_t count = 0;
    collect_once(events, &count, capacity);
    collect_launched(events, &count, capacity);
    for (uint32_t i = 0; i < fake_world.process_count; i++) {
        collect_process(fake_world.processes[i], events, &count, capacity);
    }
    for (uint32_t i = 0; i < fake_world.stream_count && count < capacity; i++) {
        if (fake_stream_report(fake_world.streams[i])) {
            add(events, &count, capacity, PLATFORM_EVENT_STREAM, fake_world.streams[i]->face.token);
        }
    }
    for (uint32_t i = 0; i < fake_world.listener_count; i++) {
        struct platform_listener *l = fake_world.listeners[i];
        if (l->face.is_open && l->is_lost && count < capacity) {
            l->is_lost = false;
            add(events, &count, capacity, PLATFORM_EVENT_LOST, l->token);
        }
        if (l->face.is_open && !l->face.is_paused && fake_waiting(l) != NULL) {
            add(events, &count, capacity, PLATFORM_EVENT_ACCEPT, l->token);
        }
    }
    for (struct platform_output *o = fake_world.outputs; o != NULL; o = o->next) {
        if (o->is_open && !o->is_paused && !fake_world.outputs_paused && o->first != NULL) {
            add(events, &count, capacity, PLATFORM_EVENT_OUTPUT, o->token);
        }
    }
    for (struct platform_file_watch *f = fake_world.file_watches; f != NULL; f = f->next) {
        if (f->is_due && count < capacity) {
            f->is_due = false;
            add(events, &count, capacity, PLATFORM_EVENT_CHANGED, f->token);
        }
    }
    return count;
}

static void shuffle(struct platform_event *events, size_t count) {
    for (size_t i = count; i > 1 && fake_world.shuffle != 0; i--) {
        size_t other = (size_t)(fake_draw(&fake_world.shuffle) % i);
        struct platform_event kept = events[i - 1];
        events[i - 1] = events[other];
        events[other] = kept;
    }
}

const char *platform_stop_reason(const struct platform *platform) {
    (void)platform;
    return "fake stop";
}

const char platform_hangup_name[] = "SIGHUP";

int platform_wait(struct platform *platform, struct platform_event *events, size_t capacity,
                  uint64_t deadline_us, struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    (void)platform;
    w->wait_count++;
    int code = fake_try(FAKE_WAIT, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (++w->round_count > FAKE_SPIN_COUNT) {
        fake_wrong("the supervisor spins");
        *cause = (struct baton_cause){"fake wait", 2};
        return BATON_SYSTEM;
    }
    for (uint32_t tries_count = 0; tries_count < FAKE_SPIN_COUNT; tries_count++) {
        size_t count = collect(events, capacity);
        if (count > 0) {
            shuffle(events, count);
            return (int)count;
        }
        if (deadline_us <= w->now_us) {
            return 0;
        }
        w->round_count = 0;
        w->change_count++;
        if (w->director.idle(w->director.context, deadline_us)) {
            continue;
        }
        if (deadline_us == PLATFORM_WAIT_FOREVER) {
            fake_wrong("the supervisor waits for ever");
            *cause = (struct baton_cause){"fake wait", 3};
            return BATON_SYSTEM;
        }
        w->now_us = deadline_us;
        return 0;
    }
    fake_wrong("the director changes nothing for ever");
    *cause = (struct baton_cause){"fake wait", 4};
    return BATON_SYSTEM;
}

void fake_advance_us(uint64_t us) {
    fake_world.now_us += us;
}

void fake_launch_takes_us(uint64_t us) {
    fake_world.launch_us = us;
}

uint64_t fake_now_us(void) {
    return fake_world.now_us;
}

uint64_t fake_wait_count(void) {
    return fake_world.wait_count;
}

void fake_stop(void) {
    fake_world.stop_due = true;
}

void fake_inject(enum platform_event_kind kind, uint64_t token) {
    struct fake_world *w = &fake_world;
    w->injected =
        fake_grow(w->injected, w->injected_count, &w->injected_capacity, sizeof *w->injected);
    w->injected[w->injected_count++] = (struct platform_event){kind, token};
}

void fake_shuffle(uint64_t seed) {
    fake_world.shuffle = seed;
}
