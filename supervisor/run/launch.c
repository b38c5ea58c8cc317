/* Launch: service -> handler process and channel. */
#include "core/base/table.h"
#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

/* `launched`: what a launcher has made of it, which has also looked at what is lacking; NULL = it
 * was the loop. */
static void log_launch_failed(struct supervisor *s, uint32_t service, int code,
                              const struct baton_cause *cause,
                              const struct platform_launched *launched) {
    struct record *line = run_tell_line(s, LOG_LEVEL_ERROR, "launch_failed", service);
    if (line != NULL) {
        char own[LACK_TEXT_MAX_BYTES];
        const char *hint = launched != NULL ? launched->explanation : own;
        uint32_t explained = launched != NULL
                                 ? launched->explained
                                 : run_tell_explain(&s->launching.services[service], own);
        record_text(line, "reason", run_tell_words(s, code, cause));
        if (explained > 0) {
            run_tell_at(s, line, services_get(&s->services, service), explained - 1);
            record_text(line, "hint", hint);
        }
        run_log_end(&s->log);
    }
}

/* Its listeners are handed over as descriptors, not on a channel. */
static bool inherits_listeners(const struct service *service) {
    return service->handoff == HANDOFF_LISTENER && !service->has_channel;
}

/* What other parts of the shell have to have for the service. `slots`: its listeners, which are
 * there already; NULL = they are not. */
static int prepare_parts(struct supervisor *s, uint32_t index, const uint32_t *slots) {
    struct run_service *r = &s->launching.services[index];
    const struct service *service = r->rules;
    int result = BATON_OK;
    if (service->handoff == HANDOFF_PUMP) {
        result = run_pump_prepare(s);
    }
    if (result == BATON_OK && service_has_preface(service)) {
        result = run_preface_prepare(s);
    }
    if (result == BATON_OK && service->refuse_message != NULL) {
        result = run_refuse_prepare(s);
    }
    if (result != BATON_OK) {
        return result;
    }
    r->listeners = calloc(service->listen_count, sizeof *r->listeners);
    if (inherits_listeners(service)) {
        r->handles = calloc(service->listen_count, sizeof(struct platform_listener *));
        r->waiting = calloc(service->listen_count, sizeof *r->waiting);
        result = r->handles == NULL || r->waiting == NULL ? BATON_NO_MEMORY : BATON_OK;
    }
    if (result != BATON_OK || r->listeners == NULL) {
        result = BATON_NO_MEMORY;
    } else if (slots != NULL) {
        memcpy(r->listeners, slots, service->listen_count * sizeof *slots);
    } else {
        result = run_listen_add(s, index, r->listeners);
    }
    if (result != BATON_OK) {
        free(r->listeners);
        r->listeners = NULL;
    }
    return result;
}

/* What its listeners are called in LISTEN_FDNAMES, to be freed; NULL when out of memory. */
static char *name_listeners(const struct service *service) {
    size_t length = 0;
    for (size_t i = 0; i < service->listen_count; i++) {
        length += strlen(service_place_name(service, i)) + 1;
    }
    char *names = malloc(length + 1);
    char *at = names;
    for (size_t i = 0; names != NULL && i < service->listen_count; i++) {
        const char *name = service_place_name(service, i);
        size_t name_length = strlen(name);
        memcpy(at, name, name_length);
        at[name_length] = i + 1 < service->listen_count ? ':' : '\0';
        at += name_length + 1;
    }
    return names;
}

static uint32_t explain(const void *r, char *text) {
    return run_tell_explain(r, text);
}

static int create_program(struct supervisor *s, uint32_t index, struct baton_cause *cause) {
    struct run_service *r = &s->launching.services[index];
    const struct service *service = r->rules;
    struct platform_program_spec spec = {
        .path = service->program,
        .argv = (const char *const *)service->argv,
        .inherited = (const char *const *)service->inherited,
        .environment = (const char *const *)service->environment,
        .directory = service->directory,
        .variables = service->variables,
        .launch_bytes = service->launch_bytes,
        .has_channel = service->has_channel,
        .service = service->name,
        .identity = &service->identity,
        .forbids_new_privileges = service_forbids_new_privileges(service),
        .is_sandboxed = service->sandbox != SANDBOX_NONE,
        .leaves_children = service_leaves_children(service),
        .ends_with_supervisor = service_ends_with_supervisor(service),
        .explain = explain,
        .explained = r,
    };
    char *names = NULL;
    if (inherits_listeners(service)) {
        spec.listener_count = (uint32_t)service->listen_count;
        spec.listener_names = names = name_listeners(service);
        if (names == NULL) {
            return BATON_NO_MEMORY;
        }
    }
    int result = platform_program_create(s->platform, &spec, &r->program, cause);
    free(names);
    return result;
}

static int prepare(struct supervisor *s, uint32_t index, const uint32_t *slots,
                   struct baton_cause *cause) {
    struct run_service *r = &s->launching.services[index];
    const struct service *service = r->rules;
    r->first_queued = r->last_queued = r->next_waiting = SLOT_NONE;
    r->machine = s->machine;
    int result = prepare_parts(s, index, slots);
    if (result == BATON_OK) {
        result = filling_reserve(&s->filling, service);
    }
    if (result == BATON_OK) {
        result = create_program(s, index, cause);
    }
    if (result == BATON_OK) {
        uint64_t token = slots_token(&s->services.slots, RUN_TOKEN_OUTPUT, index);
        result = platform_output_open(s->platform, token, &r->output, cause);
    }
    return result;
}

/* What there is of it. */
static void clear(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    platform_program_destroy(&r->program);
    platform_output_close(&r->output);
    platform_file_watch_close(&r->file);
    if (r->listeners != NULL) {
        run_listen_remove(s, r->listeners, r->rules->listen_count);
    }
    free(r->listeners);
    free((void *)r->handles);
    r->listeners = NULL;
    free(r->waiting);
    r->handles = NULL;
    r->waiting = NULL;
}

int run_launch_prepare(struct supervisor *s, uint32_t service, const uint32_t *slots,
                       struct baton_cause *cause) {
    int result = prepare(s, service, slots, cause);
    if (result != BATON_OK && slots == NULL) {
        clear(s, service);
    } else if (result == BATON_OK) {
        run_living_watch(s, service);
    }
    return result;
}

int run_launch_renew_all(struct supervisor *s, struct baton_cause *cause) {
    int result = BATON_OK;
    SLOTS_EACH(service, &s->services.slots) {
        if (s->launching.services[service].is_ready && result == BATON_OK) {
            platform_program_destroy(&s->launching.services[service].program);
            result = create_program(s, service, cause);
        }
    }
    return result;
}

void run_launch_forget(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    shortage_relieve(&r->starting, &s->timers);
    shortage_relieve(&r->renewing, &s->timers);
    timers_unset(&s->timers, &r->workers);
    clear(s, service);
    *r = (struct run_service){0};
}

int run_launch_create(struct supervisor *s) {
    struct run_launching *launching = &s->launching;
    run_waits_create(s);
    launching->first_waiting = launching->last_waiting = SLOT_NONE;
    launching->refill.token = token_make(RUN_TOKEN_REFILL, 0, 0);
    launching->services = table_create(SERVICES_MAX_COUNT, sizeof *launching->services);
    launching->processes = table_create(s->pool.process_slots.count, sizeof *launching->processes);
    return launching->services == NULL || launching->processes == NULL ? BATON_NO_MEMORY : BATON_OK;
}

void run_launch_clear(struct supervisor *s) {
    SLOTS_EACH(service, &s->services.slots) {
        run_launch_forget(s, service);
    }
    filling_clear(&s->filling);
    free(s->launching.services);
    free(s->launching.processes);
}

/* Its clients wait, or nobody does; nobody else's do. */
static void log_own_limit(struct supervisor *s, uint32_t service, int code,
                          const struct baton_cause *cause) {
    if (shortage_may_log(&s->launching.services[service].limit, &s->timers)) {
        run_tell(s, LOG_LEVEL_WARNING, "launch_waits", service, "reason=%s",
                 run_tell_words(s, code, cause));
    }
}

void run_launch_tell_crowded(struct supervisor *s, uint32_t service) {
    run_tell(s, LOG_LEVEL_WARNING, "launch_waits", service, "reason=%s processes=%u",
             "its handlers take long to exit after their last connection",
             s->pool.services[service].process_count);
}

/* What depends on the mode. The listeners of an activation are paused by now. */
static void describe(struct supervisor *s, const struct connection *c,
                     struct platform_launch *launch) {
    const struct service *service = c->rules;
    struct run_service *r = &s->launching.services[c->service];
    launch->output_id = c->id;
    launch->error_follows_output = service->stderr_to == STDERR_SOCKET;
    if (service->handoff == HANDOFF_STDIO) {
        launch->streams = PLATFORM_STREAMS_SOCKET;
        launch->socket = s->sockets[c - s->pool.connections];
    } else if (service->handoff == HANDOFF_PUMP) {
        launch->streams = PLATFORM_STREAMS_PIPES;
    } else if (inherits_listeners(service)) {
        launch->streams = PLATFORM_STREAMS_LISTENERS;
        launch->listeners = r->handles;
        launch->input_listener = c->place;
        for (uint32_t i = 0; i < service->listen_count; i++) {
            r->handles[i] = run_listen_at(s, c->service, i)->handle;
        }
        if (service->workers_count == 0) {
            run_accept_note_waiting(s, c->service);
        }
    }
}

/* One that has reset is to be found so behind HELLO, and to be given to nobody. */
static void add_offer(struct supervisor *s, uint32_t connection, uint8_t *frame,
                      struct platform_launch *launch) {
    long length = run_handoff_is_void(s, connection)
                      ? -1
                      : run_handoff_write_offer(s, connection, NULL, frame);
    if (length > 0) {
        launch->offer = frame;
        launch->offer_bytes = (size_t)length;
        launch->offer_socket = s->sockets[connection];
    }
}

/* Without a connection: of it no more than of others is in the environment, and in what is said of
 * the output. */
static int launch(struct supervisor *s, uint32_t process, const struct connection *c,
                  struct baton_cause *cause) {
    struct run_process *r = &s->launching.processes[process];
    uint32_t index = s->pool.processes[process].service;
    const struct service *service = s->pool.processes[process].rules;
    char nonce_hex[2 * WIRE_NONCE_BYTES + 1];
    uint8_t offer[WIRE_OFFER_MAX_BYTES];
    bool is_offered_early = s->pool.processes[process].is_offered_early;
    int result = BATON_OK;
    if (service->has_channel) {
        result = platform_random(r->nonce, sizeof r->nonce, cause);
        wire_nonce_print(r->nonce, nonce_hex);
    }
    if (result != BATON_OK) {
        return result;
    }
    filling_make(&s->filling, service, c);
    uint64_t pump_token =
        r->pump == SLOT_NONE ? 0 : slots_token(&s->pumps.slots, RUN_TOKEN_PUMP, r->pump);
    struct platform_launch what = {
        .program = s->launching.services[index].program,
        .argv = s->filling.argv,
        .values = s->filling.values,
        .nonce_hex = service->has_channel ? nonce_hex : NULL,
        .output = service->output_to == OUTPUT_NULL ? NULL : s->launching.services[index].output,
        .socket = PLATFORM_SOCKET_NONE,
        .token = slots_token(&s->pool.process_slots, POOL_TOKEN_PROCESS, process),
        .input_token = pump_token,
        .output_token = pump_token,
    };
    if (c != NULL) {
        describe(s, c, &what);
    }
    if (is_offered_early) {
        add_offer(s, s->pool.processes[process].wanted_by, offer, &what);
    }
    struct platform_launched launched = {.socket = PLATFORM_SOCKET_NONE};
    result = platform_launch(s->platform, &what, &launched, cause);
    if (is_offered_early && launched.process != NULL && !launched.has_offered) {
        pool_not_offered_early(&s->pool, process);
    }
    if (launched.has_taken_socket) {
        s->sockets[c - s->pool.connections] = PLATFORM_SOCKET_NONE;
    }
    r->handle = launched.process;
    r->output_id = what.output_id;
    if (result == BATON_OK && r->pump != SLOT_NONE) {
        run_pump_launched(s, process, &launched);
    }
    return result;
}

/* The pump comes first: where there is no room for it nothing is launched in vain. */
static int launch_with_pump(struct supervisor *s, uint32_t process, uint32_t connection,
                            struct baton_cause *cause) {
    const struct service *service = s->pool.processes[process].rules;
    if (service_serves_many(service)) {
        return launch(s, process, NULL, cause);
    }
    const struct connection *c = &s->pool.connections[connection];
    if (service->handoff != HANDOFF_PUMP) {
        return launch(s, process, c, cause);
    }
    int result = run_pump_begin(s, process, connection, cause);
    if (result == BATON_OK) {
        result = launch(s, process, c, cause);
        if (s->launching.processes[process].handle == NULL) {
            run_pump_undo(s, process, connection);
        }
    }
    return result;
}

/* Says that the launch failed, and why it did. */
static enum pool_launch_fault judge(struct supervisor *s, uint32_t service, bool is_spare,
                                    int result, const struct baton_cause *cause,
                                    const struct platform_launched *launched) {
    if (result == BATON_SHORTAGE && !is_spare) {
        run_pause_log_shortage(s, service, result, cause);
        return POOL_LAUNCH_SHORTAGE;
    }
    if (result == BATON_LIMIT || result == BATON_SHORTAGE) {
        log_own_limit(s, service, result, cause);
        return POOL_LAUNCH_OWN_LIMIT;
    }
    log_launch_failed(s, service, result, cause, launched);
    return POOL_LAUNCH_REFUSED;
}

static void tell_pool(struct supervisor *s, uint32_t process, int result,
                      const struct baton_cause *cause, const struct platform_launched *launched) {
    bool is_launched = result == BATON_OK;
    const struct process *p = &s->pool.processes[process];
    enum pool_launch_fault fault =
        is_launched ? POOL_LAUNCH_REFUSED
                    : judge(s, p->service, p->wanted_by == SLOT_NONE, result, cause, launched);
    /* It has taken its time, which is not that of the rest of the step; if it failed, no record
     * shall be older than what has just been said of it. */
    uint64_t step_us = s->timers.now_us;
    s->timers.now_us = platform_now_us(s->platform);
    if (is_launched) {
        pool_launched(&s->pool, process,
                      platform_process_pid(s->launching.processes[process].handle));
    } else {
        pool_launch_failed(&s->pool, process, fault);
    }
    s->timers.now_us = step_us;
}

/* False if it has to wait for a launcher. */
static bool begin(struct supervisor *s, uint32_t process) {
    struct baton_cause cause = {0};
    struct run_process *r = &s->launching.processes[process];
    uint32_t connection = s->pool.processes[process].wanted_by;
    if (r->is_cancelled ||
        (connection == SLOT_NONE && !service_serves_many(s->pool.processes[process].rules))) {
        /* Its client went in the meantime. */
        pool_launch_failed(&s->pool, process, POOL_LAUNCH_REFUSED);
        return true;
    }
    uint32_t service = s->pool.processes[process].service;
    if (s->restart.is_holding ||
        platform_launch_waits(s->platform, s->launching.services[service].program)) {
        return false;
    }
    int result = launch_with_pump(s, process, connection, &cause);
    r->is_launching = result == BATON_AGAIN && r->handle != NULL;
    r->begun_us = s->timers.now_us;
    if (r->is_launching) {
        pool_launching(&s->pool, process, true);
    } else if (result != BATON_AGAIN) {
        tell_pool(s, process, result, &cause, NULL);
    }
    return result != BATON_AGAIN || r->is_launching;
}

/* ---- Launchers ---- */

/* Of one launch: launchers that could not get to it, or were killed before. */
#define LOST_MAX_COUNT 8

/* Behind the others of its service, or before them; and that behind other services. */
static void enqueue(struct supervisor *s, uint32_t process, bool is_first) {
    struct run_launching *launching = &s->launching;
    struct run_process *r = &launching->processes[process];
    uint32_t service = s->pool.processes[process].service;
    struct run_service *of = &launching->services[service];
    r->is_queued = true;
    r->next_queued = SLOT_NONE;
    if (of->first_queued != SLOT_NONE && is_first) {
        r->next_queued = of->first_queued;
        of->first_queued = process;
    } else if (of->first_queued != SLOT_NONE) {
        launching->processes[of->last_queued].next_queued = process;
        of->last_queued = process;
    } else {
        of->first_queued = of->last_queued = process;
        of->next_waiting = SLOT_NONE;
        *(launching->first_waiting == SLOT_NONE
              ? &launching->first_waiting
              : &launching->services[launching->last_waiting].next_waiting) = service;
        launching->last_waiting = service;
    }
    pool_launching(&s->pool, process, false);
}

/* The first of the services that wait is behind the others, or waits no more. */
static void move_on(struct run_launching *launching) {
    uint32_t service = launching->first_waiting;
    struct run_service *of = &launching->services[service];
    launching->first_waiting = of->next_waiting;
    of->next_waiting = SLOT_NONE;
    if (of->first_queued == SLOT_NONE) {
        return;
    }
    *(launching->first_waiting == SLOT_NONE
          ? &launching->first_waiting
          : &launching->services[launching->last_waiting].next_waiting) = service;
    launching->last_waiting = service;
}

static void leave(struct run_launching *launching, uint32_t service) {
    uint32_t previous = SLOT_NONE;
    for (uint32_t at = launching->first_waiting; at != service;
         at = launching->services[at].next_waiting) {
        previous = at;
    }
    uint32_t next = launching->services[service].next_waiting;
    *(previous == SLOT_NONE ? &launching->first_waiting
                            : &launching->services[previous].next_waiting) = next;
    launching->last_waiting =
        launching->last_waiting == service ? previous : launching->last_waiting;
}

/* Those of one service, until one has to wait. */
static void go_on_with(struct supervisor *s, struct run_service *of) {
    uint32_t process;
    bool goes_on = true;
    while (goes_on && (process = of->first_queued) != SLOT_NONE) {
        struct run_process *r = &s->launching.processes[process];
        uint32_t next = r->next_queued;
        r->is_queued = false; /* it may fail, and its place be another's */
        of->first_queued = next;
        goes_on = begin(s, process);
        if (!goes_on) {
            r->is_queued = true;
            of->first_queued = process;
        }
    }
}

void run_launch_go_on(struct supervisor *s) {
    struct run_launching *launching = &s->launching;
    uint32_t service = launching->first_waiting;
    uint32_t last = launching->last_waiting;
    launching->has_cancelled = false;
    while (service != SLOT_NONE) {
        go_on_with(s, &launching->services[service]);
        move_on(launching);
        service = service == last ? SLOT_NONE : launching->first_waiting;
    }
}

bool run_launch_cancel(struct supervisor *s, uint32_t process) {
    struct run_process *r = &s->launching.processes[process];
    r->is_cancelled = r->is_queued || r->is_launching;
    s->launching.has_cancelled = s->launching.has_cancelled || r->is_queued;
    return r->is_queued;
}

void run_launch_forget_process(struct supervisor *s, uint32_t process) {
    struct run_process *r = &s->launching.processes[process];
    struct run_service *of = &s->launching.services[s->pool.processes[process].service];
    uint32_t previous = SLOT_NONE;
    if (!r->is_queued) {
        return;
    }
    for (uint32_t at = of->first_queued; at != process;
         at = s->launching.processes[at].next_queued) {
        previous = at;
    }
    *(previous == SLOT_NONE ? &of->first_queued : &s->launching.processes[previous].next_queued) =
        r->next_queued;
    of->last_queued = of->last_queued == process ? previous : of->last_queued;
    r->is_queued = false;
    if (of->first_queued == SLOT_NONE) {
        leave(&s->launching, s->pool.processes[process].service);
    }
}

void run_launch_process(struct supervisor *s, uint32_t process) {
    const struct run_service *of = &s->launching.services[s->pool.processes[process].service];
    s->launching.processes[process] = (struct run_process){.pump = SLOT_NONE};
    if (of->first_queued != SLOT_NONE || !begin(s, process)) {
        enqueue(s, process, false);
    }
}

/* What was taken for it is its client's again. */
static void give_back(struct supervisor *s, uint32_t process, struct platform_launched *launched) {
    uint32_t connection = s->pool.processes[process].wanted_by;
    if (s->launching.processes[process].pump != SLOT_NONE && connection == SLOT_NONE) {
        run_pump_close(s, process);
    } else if (s->launching.processes[process].pump != SLOT_NONE) {
        run_pump_undo(s, process, connection);
    }
    if (platform_socket_is_open(launched->socket) && connection != SLOT_NONE) {
        s->sockets[connection] = launched->socket;
    } else {
        platform_socket_close(s->platform, &launched->socket);
    }
}

void run_launch_on_launched(struct supervisor *s, uint32_t process) {
    struct run_process *r = &s->launching.processes[process];
    struct platform_launched launched = {.socket = PLATFORM_SOCKET_NONE};
    struct baton_cause cause = {0};
    int result = platform_launch_end(&r->handle, &launched, &cause);
    r->is_launching = false;
    if (result == BATON_AGAIN && ++r->lost_count > LOST_MAX_COUNT) {
        result = BATON_SHORTAGE;
    }
    if (result != BATON_OK) {
        give_back(s, process, &launched);
    } else if (r->pump != SLOT_NONE) {
        run_pump_launched(s, process, &launched);
    }
    if (result == BATON_AGAIN) {
        enqueue(s, process, true);
        run_launch_go_on(s);
    } else {
        tell_pool(s, process, result, &cause, &launched);
    }
}
