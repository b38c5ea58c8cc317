/* Launch: service -> handler process and channel. */
#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

static void log_launch_failed(struct supervisor *s, uint32_t service, int code,
                              const struct baton_cause *cause) {
    struct record *line = supervisor_line(s, LOG_LEVEL_ERROR, "launch_failed", service, SLOT_NONE);
    if (line != NULL) {
        supervisor_reason(line, code, cause);
        run_log_end(&s->log);
    }
}

int launch_prepare(struct supervisor *s) {
    struct baton_cause cause = {0};
    int result = BATON_OK;
    for (uint32_t i = 0; i < s->table->service_count && result == BATON_OK; i++) {
        const struct service *service = &s->table->services[i];
        struct platform_program_spec spec = {
            .path = service->program,
            .argv = (const char *const *)service->argv,
            .environment = (const char *const *)service->environment,
            .directory = service->directory,
        };
        uint64_t token = ((uint64_t)TOKEN_OUTPUT << 52) | i;
        result = platform_program_create(s->platform, &spec, &s->services[i].program, &cause);
        if (result == BATON_OK) {
            result = platform_output_open(s->platform, token, &s->services[i].output, &cause);
        }
        if (result != BATON_OK) {
            log_launch_failed(s, i, result, &cause);
        }
    }
    return result;
}

void launch_tell_crowded(struct supervisor *s, uint32_t service) {
    struct record *line = supervisor_line(s, LOG_LEVEL_WARNING, "launch_waits", service, SLOT_NONE);
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
    }
}

static int launch(struct supervisor *s, uint32_t process, struct baton_cause *cause) {
    struct run_process *r = &s->processes[process];
    struct run_service *service = &s->services[s->pool.processes[process].service];
    char nonce_hex[2 * WIRE_NONCE_BYTES + 1];
    memset(r, 0, sizeof *r);
    int result = platform_random(r->nonce, sizeof r->nonce, cause);
    if (result != BATON_OK) {
        return result;
    }
    wire_nonce_print(r->nonce, nonce_hex);
    return platform_launch(s->platform, service->program, nonce_hex, service->output,
                           slots_token(&s->pool.process_slots, TOKEN_PROCESS, process), &r->handle,
                           cause);
}

void launch_process(struct supervisor *s, uint32_t process) {
    struct baton_cause cause = {0};
    int result = launch(s, process, &cause);
    if (result == BATON_OK) {
        pool_launched(&s->pool, process, platform_process_pid(s->processes[process].handle));
        return;
    }
    uint32_t service = s->pool.processes[process].service;
    if (result == BATON_SHORTAGE) {
        listen_log_shortage(s, service, result, &cause);
    } else {
        log_launch_failed(s, service, result, &cause);
    }
    pool_launch_failed(&s->pool, process, result == BATON_SHORTAGE, s->now_us);
}
