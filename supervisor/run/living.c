#include "run/living.h"

#include "core/base/text.h"
#include "run/internal.h"

/* Nothing is launched ahead for so long after a client has come: in that time it would take the
 * processor from the handler that has just been told of it, and from the client that has just had
 * its answer, which doubled the client's time. But where there are few left, as soon as one has
 * been served; and behind some rounds with clients, or where they never stop coming there would be
 * none. */
#define BEHIND_CLIENT_US 1000u
#define BUSY_ROUNDS_COUNT 8u
/* How soon behind one change the next is followed: twice as late each time, until it has been quiet
 * for some times as long. */
#define RENEW_FIRST_MS 100u
#define RENEW_LAST_MS 10000u
#define RENEW_CALM_TIMES 4u

/* ---- The file ---- */

/* As it is called outside the service's root; NULL if that is too long. */
static const char *path_of(const struct service *service, char *room, size_t size_bytes) {
    const char *root = service->identity.chroot;
    if (root == NULL) {
        return service->handler;
    }
    int length = text_format(room, size_bytes, "%s/%s", root, service->handler);
    return length >= 0 && (size_t)length < size_bytes ? room : NULL;
}

void run_living_watch(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    struct baton_cause cause = {0};
    char room[4096];
    r->renewing =
        shortage_make(RENEW_FIRST_MS, RENEW_LAST_MS, token_make(RUN_TOKEN_RENEWING, 0, service));
    if (!service_serves_many(r->rules) && r->rules->workers_count == 0) {
        return;
    }
    const char *path = path_of(r->rules, room, sizeof room);
    uint64_t token = slots_token(&s->services.slots, RUN_TOKEN_FILE, service);
    int result = path == NULL
                     ? BATON_TOO_LONG
                     : platform_file_watch_open(s->platform, path, token, &r->file, &cause);
    if (result != BATON_OK) {
        run_tell(s, LOG_LEVEL_WARNING, "not_watched", service, "handler=%s reason=%s hint=%s",
                 r->rules->handler, run_tell_words(s, result, &cause),
                 "when it is replaced, its processes go on until they are retired");
    }
}

static void renew(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    if (s->timers.now_us >= r->calm_us) {
        (void)shortage_over(&r->renewing, &s->timers);
    }
    uint64_t delay_ms = shortage_hit(&r->renewing, &s->timers);
    r->calm_us = s->timers.now_us + RENEW_CALM_TIMES * 1000u * delay_ms;
    r->has_changed = false;
    run_tell(s, LOG_LEVEL_INFO, "handler_changed", service, "handler=%s", r->rules->handler);
    pool_renew_processes(&s->pool, service);
    if (r->rules->workers_count > 0) {
        run_workers_renew(s, service);
    }
}

void run_living_on_changed(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    r->has_changed = true;
    if (!shortage_lasts(&r->renewing)) {
        renew(s, service);
    }
}

void run_living_on_renewing(struct supervisor *s, uint32_t service) {
    if (s->launching.services[service].has_changed) {
        renew(s, service);
    }
}

/* ---- Spares ---- */

static bool waits_behind_client(struct supervisor *s, bool is_busy) {
    struct run_launching *launching = &s->launching;
    uint32_t clients_count = s->pool.connection_slots.in_use_count;
    bool one_is_served =
        !is_busy && clients_count < launching->clients_count && pool_is_low(&s->pool);
    if (is_busy) {
        launching->clients_count = clients_count;
        launching->busy_rounds_count++;
    }
    return (is_busy || timer_is_set(&launching->refill)) && !one_is_served &&
           !launching->refill_is_due && launching->busy_rounds_count < BUSY_ROUNDS_COUNT;
}

/* The next to be taken waits as the first did. */
static void end_wait(struct supervisor *s) {
    timers_unset(&s->timers, &s->launching.refill);
    s->launching.refill_is_due = false;
    s->launching.busy_rounds_count = 0;
}

bool run_living_refill(struct supervisor *s, bool is_busy) {
    struct run_launching *launching = &s->launching;
    if (s->pool.wanting_first == SLOT_NONE) {
        end_wait(s); /* what was taken has come back */
        return false;
    }
    if (waits_behind_client(s, is_busy)) {
        if (!timer_is_set(&launching->refill)) {
            timers_after(&s->timers, &launching->refill, BEHIND_CLIENT_US);
        }
        return false;
    }
    end_wait(s);
    return pool_refill(&s->pool);
}

/* ---- Memory ---- */

void run_living_on_measured(struct supervisor *s, uint32_t process) {
    uint32_t resident_kib = 0;
    if (s->launching.processes[process].exit_was_told) {
        return;
    }
    if (platform_process_resident(s->launching.processes[process].handle, &resident_kib) ==
        BATON_OK) {
        pool_note_memory(&s->pool, process, resident_kib);
    }
}

/* One that gets no more offers is as large as it likes. */
static bool is_to_be_measured(const struct process *p) {
    return p->rules->retire_memory_mib > 0 && p->state == PROCESS_READY && p->retire == RETIRE_NONE;
}

static void measure(struct supervisor *s, uint32_t process) {
    s->launching.processes[process].measured_us = s->timers.now_us;
    run_living_on_measured(s, process);
}

void run_living_measure(struct supervisor *s, uint32_t process) {
    const struct run_process *r = &s->launching.processes[process];
    if (!is_to_be_measured(&s->pool.processes[process]) ||
        run_waits_has(s, RUN_WAIT_MEASURE, process)) {
        return;
    }
    if (r->measured_us != 0 && s->timers.now_us < r->measured_us + LIVING_MEASURE_INTERVAL_US) {
        run_waits_add(s, RUN_WAIT_MEASURE, process);
    } else {
        measure(s, process);
    }
}

void run_living_on_timer(struct supervisor *s) {
    uint32_t process;
    while ((process = run_waits_take(s, RUN_WAIT_MEASURE)) != SLOT_NONE) {
        if (is_to_be_measured(&s->pool.processes[process])) {
            measure(s, process);
        }
    }
}

/* ---- The end ---- */

/* What it has done by itself, and not well, is for somebody to look at. */
static enum log_level level_of(const struct process *p) {
    bool is_its_own =
        p->retire == RETIRE_NONE || p->retire == RETIRE_CLOSED || p->retire == RETIRE_FAULT;
    bool is_well = !p->exit.by_signal && service_exit_is_success(p->rules, p->exit.code);
    return is_its_own && !is_well ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

void run_living_tell_end(struct supervisor *s, uint32_t process) {
    const struct process *p = &s->pool.processes[process];
    if (!service_serves_many(p->rules) || p->rules->reuse_count == 1) {
        return; /* its connection's record has all that there is to say */
    }
    struct record *line = run_tell_line(s, level_of(p), "process", p->service);
    if (line == NULL) {
        return;
    }
    record_number(line, "pid", p->pid);
    if (s->launching.processes[process].exit_was_told) { /* a stop may have given up on it */
        record_number(line, p->exit.by_signal ? "signal" : "exit", p->exit.code);
    }
    record_number(line, "taken", p->taken_count);
    record_text(line, "reason", retire_reason_text(p->retire));
    record_cost(line, p->exit.cpu_us, p->exit.memory_peak_kib);
    record_number(line, "duration_ms", (s->timers.now_us - p->launched_us) / 1000);
    run_log_end(&s->log);
}
