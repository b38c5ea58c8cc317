/* Launch: service -> handler process and channel. */
#include "run/internal.h"

#include <stdlib.h>

static void log_launch_failed(struct supervisor *s, uint32_t service, int code,
                              const struct baton_cause *cause) {
    struct record *line = tell_line(s, LOG_LEVEL_ERROR, "launch_failed", service, SLOT_NONE);
    if (line != NULL) {
        tell_reason(line, code, cause);
        run_log_end(&s->log);
    }
}

/* Its listeners are handed over as descriptors, not on a channel. */
static bool inherits_listeners(const struct service *service) {
    return service->handoff == HANDOFF_LISTENER && !service->has_channel;
}

static int prepare(struct supervisor *s, uint32_t index, struct baton_cause *cause) {
    const struct service *service = &s->table->services[index];
    struct run_service *r = &s->services[index];
    struct platform_program_spec spec = {
        .path = service->program,
        .argv = (const char *const *)service->argv,
        .environment = (const char *const *)service->environment,
        .directory = service->directory,
        .variables = service->variables,
        .launch_bytes = service->launch_bytes,
        .has_channel = service->has_channel,
    };
    if (inherits_listeners(service)) {
        spec.listener_count = (uint32_t)service->listen_count;
        spec.listener_name = service->name;
        r->handles = calloc(service->listen_count, sizeof(struct platform_listener *));
        if (r->handles == NULL) {
            return BATON_NO_MEMORY;
        }
    }
    uint64_t token = ((uint64_t)TOKEN_OUTPUT << 52) | index;
    int result = filling_reserve(&s->filling, service);
    if (result == BATON_OK) {
        result = platform_program_create(s->platform, &spec, &r->program, cause);
    }
    return result == BATON_OK ? platform_output_open(s->platform, token, &r->output, cause)
                              : result;
}

int launch_prepare(struct supervisor *s) {
    struct baton_cause cause = {0};
    int result = BATON_OK;
    for (uint32_t i = 0; i < s->table->service_count && result == BATON_OK; i++) {
        result = prepare(s, i, &cause);
        if (result != BATON_OK) {
            log_launch_failed(s, i, result, &cause);
        }
    }
    return result;
}

void launch_tell_crowded(struct supervisor *s, uint32_t service) {
    struct record *line = tell_line(s, LOG_LEVEL_WARNING, "launch_waits", service, SLOT_NONE);
    if (line != NULL) {
        record_text(line, "reason", "its handlers take long to exit after their last connection");
        record_number(line, "processes", s->pool.services[service].process_count);
        run_log_end(&s->log);
    }
}

void launch_clear(struct supervisor *s) {
    for (uint32_t i = 0; s->services != NULL && i < s->table->service_count; i++) {
        platform_program_destroy(&s->services[i].program);
        platform_output_close(&s->services[i].output);
        free(s->services[i].handles);
    }
    filling_clear(&s->filling);
}

/* What depends on the mode. The listeners of an activation are paused by now. */
static void describe(struct supervisor *s, const struct connection *c,
                     struct platform_launch *launch) {
    const struct service *service = &s->table->services[c->service];
    struct run_service *r = &s->services[c->service];
    launch->error_follows_output = service->stderr_to == STDERR_SOCKET;
    if (service->handoff == HANDOFF_STDIO) {
        launch->streams = PLATFORM_STREAMS_SOCKET;
        launch->socket = s->sockets[c - s->pool.connections];
    } else if (service->handoff == HANDOFF_PUMP) {
        launch->streams = PLATFORM_STREAMS_PIPES;
    } else if (inherits_listeners(service)) {
        launch->streams = PLATFORM_STREAMS_LISTENERS;
        launch->listeners = r->handles;
        /* Standard input is the first one: the one where somebody waits. */
        r->handles[0] = s->listeners[r->first_listener + c->place].handle;
        for (uint32_t i = 0, at = 1; i < service->listen_count; i++) {
            if (i != c->place) {
                r->handles[at++] = s->listeners[r->first_listener + i].handle;
            }
        }
    }
}

static int launch(struct supervisor *s, uint32_t process, uint32_t connection,
                  struct baton_cause *cause) {
    struct run_process *r = &s->processes[process];
    const struct connection *c = &s->pool.connections[connection];
    const struct service *service = &s->table->services[c->service];
    char nonce_hex[2 * WIRE_NONCE_BYTES + 1];
    int result = platform_random(r->nonce, sizeof r->nonce, cause);
    if (result != BATON_OK) {
        return result;
    }
    wire_nonce_print(r->nonce, nonce_hex);
    filling_make(&s->filling, service, c, pool_count_from_peer(&s->pool, connection));
    uint64_t relay_token =
        r->relay == SLOT_NONE ? 0 : slots_token(&s->relay_slots, TOKEN_RELAY, r->relay);
    struct platform_launch what = {
        .program = s->services[c->service].program,
        .argv = s->filling.argv,
        .values = s->filling.values,
        .nonce_hex = service->has_channel ? nonce_hex : NULL,
        .output = s->services[c->service].output,
        .socket = PLATFORM_SOCKET_NONE,
        .token = slots_token(&s->pool.process_slots, TOKEN_PROCESS, process),
        .input_token = relay_token,
        .output_token = relay_token,
    };
    describe(s, c, &what);
    struct platform_launched launched = {0};
    result = platform_launch(s->platform, &what, &launched, cause);
    r->handle = launched.process;
    if (result == BATON_OK && r->relay != SLOT_NONE) {
        relay_launched(s, process, &launched);
    }
    return result;
}

/* The relay comes first: where there is no room for it nothing is launched in vain. */
static int launch_with_relay(struct supervisor *s, uint32_t process, uint32_t connection,
                             struct baton_cause *cause) {
    uint32_t service = s->pool.processes[process].service;
    if (s->table->services[service].handoff != HANDOFF_PUMP) {
        return launch(s, process, connection, cause);
    }
    int result = relay_begin(s, process, connection, cause);
    if (result == BATON_OK) {
        result = launch(s, process, connection, cause);
        if (result != BATON_OK) {
            relay_undo(s, process, connection);
        }
    }
    return result;
}

void launch_process(struct supervisor *s, uint32_t process) {
    struct baton_cause cause = {0};
    uint32_t service = s->pool.processes[process].service;
    uint32_t connection = s->pool.processes[process].wanted_by;
    s->processes[process] = (struct run_process){.relay = SLOT_NONE};
    if (connection == SLOT_NONE) { /* its client went in the meantime */
        pool_launch_failed(&s->pool, process, false, s->now_us);
        return;
    }
    int result = launch_with_relay(s, process, connection, &cause);
    if (result == BATON_OK) {
        pool_launched(&s->pool, process, platform_process_pid(s->processes[process].handle),
                      platform_now_us(s->platform));
        return;
    }
    if (result == BATON_SHORTAGE) {
        listen_log_shortage(s, service, result, &cause);
    } else {
        log_launch_failed(s, service, result, &cause);
    }
    pool_launch_failed(&s->pool, process, result == BATON_SHORTAGE, s->now_us);
}
