#include "run/internal.h"

static void log_stopping(struct supervisor *s, const char *event) {
    struct record *line = run_log_begin(&s->log, LOG_LEVEL_INFO, event);
    if (line != NULL) {
        record_text(line, "reason", platform_stop_reason(s->platform));
        record_number(line, "connections", s->pool.connection_slots.in_use_count);
        record_number(line, "processes", s->pool.process_slots.in_use_count);
        run_log_end(&s->log);
    }
}

void run_drain_on_stop(struct supervisor *s) {
    if (s->stopping) {
        s->hurrying = true;
        log_stopping(s, "stopping_now");
        pool_hurry(&s->pool, s->now_us);
        return;
    }
    s->stopping = true;
    log_stopping(s, "stopping");
    run_listen_close_all(s);
    pool_stop(&s->pool, s->now_us);
}

void run_drain_on_hangup(struct supervisor *s) {
    struct baton_cause cause = {0};
    int result = run_log_reopen(&s->log, &cause);
    bool is_stream = result == BATON_UNSUPPORTED;
    struct record *line =
        run_log_begin(&s->log, result == BATON_OK || is_stream ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
                      result == BATON_OK ? "log_reopened" : "log_kept");
    if (line != NULL && is_stream) {
        record_text(line, "reason", "standard error cannot be opened anew");
    } else if (line != NULL && result != BATON_OK) {
        run_tell_reason(line, result, &cause);
    }
    if (line != NULL) {
        run_log_end(&s->log);
    }
}

static const char *end_reason(const struct supervisor *s, const struct process *p) {
    if (p->fault != OUTCOME_NONE) {
        return outcome_text(p->fault);
    }
    return s->hurrying            ? "a second stop was asked for"
           : p->overdue_count > 0 ? "the time of its connection has passed"
                                  : "stop_timeout_ms has passed";
}

void run_drain_end_process(struct supervisor *s, uint32_t process, enum platform_signal how) {
    const struct process *p = &s->pool.processes[process];
    struct run_pump_end end = run_pump_give_up(s, process);
    if (end.is_over) {
        run_reap_pumped(s, &end);
        return;
    }
    struct record *line =
        run_tell_line(s, p->fault == OUTCOME_NONE ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
                      how == PLATFORM_KILL ? "kill" : "terminate", p->service, process);
    if (line != NULL) {
        record_text(line, "reason", end_reason(s, p));
        run_log_end(&s->log);
    }
    platform_process_signal(s->launching.processes[process].handle, how);
}

void run_drain_tell_stuck(struct supervisor *s, uint32_t process) {
    struct record *line = run_tell_line(s, LOG_LEVEL_ERROR, "kill_failed",
                                        s->pool.processes[process].service, process);
    if (line != NULL) {
        record_text(line, "reason", "the process was killed and has not ended");
        run_log_end(&s->log);
    }
}
