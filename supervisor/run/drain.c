#include "run/internal.h"

/* `timeout_ms`: how long any handler has until it is terminated. */
static void log_stopping(struct supervisor *s, const char *event, const char *reason) {
    uint32_t timeout_ms = 0;
    SLOTS_EACH(process, &s->pool.process_slots) {
        uint32_t its_ms =
            services_get(&s->services, s->pool.processes[process].service)->stop_timeout_ms;
        timeout_ms = its_ms > timeout_ms && !s->hurrying ? its_ms : timeout_ms;
    }
    /* From DRAIN to terminate, and from terminate to kill; and the log has its time. */
    run_manager_on_stop(s, 3 * (uint64_t)timeout_ms);
    run_tell(s, LOG_LEVEL_INFO, event, SLOT_NONE,
             "reason=%s connections=%u processes=%u timeout_ms=%u", reason,
             pool_live_count(&s->pool), s->pool.process_slots.in_use_count, (unsigned)timeout_ms);
}

/* Of each service that has any. */
static void log_awaited(struct supervisor *s) {
    SLOTS_EACH(service, &s->services.slots) {
        const struct pool_service *p = &s->pool.services[service];
        if (p->live_count + p->process_count > 0) {
            run_tell(s, LOG_LEVEL_INFO, "stop_awaits", service,
                     "connections=%u processes=%u timeout_ms=%u", p->live_count, p->process_count,
                     (unsigned)services_get(&s->services, service)->stop_timeout_ms);
        }
    }
}

void run_drain_on_stop(struct supervisor *s, const char *reason) {
    if (s->stopping) {
        s->hurrying = true;
        log_stopping(s, "stopping_now", reason);
        pool_hurry(&s->pool);
        return;
    }
    s->stopping = true;
    log_stopping(s, "stopping", reason);
    log_awaited(s);
    run_listen_close_all(s);
    pool_stop(&s->pool);
}

/* Those of services. True if there is one, and all are open. */
static bool reopen_services(struct supervisor *s, int *result) {
    bool all = s->log.services != NULL;
    for (struct run_sink *sink = s->log.services; sink != NULL; sink = sink->next) {
        struct baton_cause cause = {0};
        int code = run_sink_reopen(sink, &s->log, &cause);
        if (code != BATON_OK) {
            all = false;
            *result = code;
            run_tell(s, LOG_LEVEL_ERROR, "log_kept", SLOT_NONE, "log=%s reason=%s", sink->path,
                     run_tell_words(s, code, &cause));
        }
    }
    run_start_reopen_logs(s);
    return all;
}

int run_drain_reopen_log(struct supervisor *s) {
    struct baton_cause cause = {0};
    int result = run_log_reopen(&s->log, &cause);
    int services_result = BATON_OK;
    bool are_services_open = reopen_services(s, &services_result);
    if (result == BATON_UNSUPPORTED && services_result != BATON_OK) {
        return services_result;
    }
    if (result == BATON_UNSUPPORTED && are_services_open) {
        result = BATON_OK;
    }
    bool is_stream = result == BATON_UNSUPPORTED;
    bool is_open = result == BATON_OK;
    run_tell(s, is_open || is_stream ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
             is_open ? "log_reopened" : "log_kept", SLOT_NONE, "reason=%s",
             is_open     ? NULL
             : is_stream ? "standard error cannot be opened anew"
                         : run_tell_words(s, result, &cause));
    return result != BATON_OK ? result : services_result;
}

static const char *end_reason(const struct supervisor *s, const struct process *p) {
    if (p->fault != OUTCOME_NONE) {
        return outcome_text(p->fault);
    }
    if (p->overdue_count > 0 && !s->hurrying) {
        return s->pool.connections[p->first_held].is_killed
                   ? "a control client has killed its connection"
                   : "the time of its connection has passed";
    }
    return s->hurrying ? "a second stop was asked for" : "stop_timeout_ms has passed";
}

void run_drain_end_process(struct supervisor *s, uint32_t process, enum platform_signal how) {
    const struct process *p = &s->pool.processes[process];
    const struct run_pump_end *end = run_pump_give_up(s, process);
    if (end != NULL) {
        run_reap_pumped(s, end);
        return;
    }
    if (run_launch_cancel(s, process)) {
        return;
    }
    run_tell(s, p->fault == OUTCOME_NONE ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
             how == PLATFORM_KILL ? "kill" : "terminate", p->service, "pid=%i reason=%s", p->pid,
             end_reason(s, p));
    platform_process_signal(s->launching.processes[process].handle, how);
}

void run_drain_tell_stuck(struct supervisor *s, uint32_t process) {
    const struct process *p = &s->pool.processes[process];
    run_tell(s, LOG_LEVEL_ERROR, "kill_failed", p->service, "pid=%i reason=%s", p->pid,
             "the process was killed and has not ended");
}
