/* Reap: the end of a process, and the one record of every connection. */
#include "run/internal.h"

#include <string.h>

void reap_on_exit(struct supervisor *s, uint32_t process) {
    if (s->processes[process].relay != SLOT_NONE) {
        relay_on_exit(s, process);
    } else {
        reap_tell_exit(s, process);
    }
}

void reap_tell_exit(struct supervisor *s, uint32_t process) {
    struct run_process *r = &s->processes[process];
    struct platform_exit how = platform_process_exit(r->handle);
    /* What it wrote before its end decides: an ACK found there means that the client was taken. */
    pool_exiting(&s->pool, process);
    if (s->pool.processes[process].channel_open) {
        handoff_on_channel(s, process, true);
    }
    output_finish(s, s->pool.processes[process].service, platform_process_pid(r->handle));
    pool_exited(&s->pool, process, (struct pool_exit){how.by_signal, how.code}, s->now_us);
}

/* What there is to say of the connection goes to `told`. */
static void gather_note(struct supervisor *s, uint32_t connection) {
    uint32_t process = s->pool.connections[connection].process;
    const char *note = process == SLOT_NONE ? NULL : s->processes[process].note;
    if (s->told.connection != connection && note != NULL) {
        tell_note(s, connection, note, strlen(note));
    }
}

void reap_record(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    preface_stop(s, connection);
    platform_socket_close(&s->sockets[connection]);
    gather_note(s, connection);
    record_connection(&s->log.line, s->log.format, c, &s->table->services[c->service],
                      s->told.bytes, s->told.connection == connection ? s->told.length : 0);
    run_log_keep(&s->log);
    bool is_activation = c->is_activation;
    uint32_t service = c->service;
    uint32_t place = c->place;
    pool_forget(&s->pool, connection);
    if (is_activation) {
        listen_on_activation_ended(s, service, place);
    }
    listen_relieve(s);
}

void reap_close_process(struct supervisor *s, uint32_t process) {
    relay_close(s, process); /* still there when a stop has given up on the process */
    platform_process_close(&s->processes[process].handle);
    pool_reaped(&s->pool, process, s->now_us);
    listen_relieve(s);
}

static const char *end_reason(const struct supervisor *s, const struct process *p) {
    if (p->fault != OUTCOME_NONE) {
        return outcome_text(p->fault);
    }
    return s->hurrying ? "a second stop was asked for" : "stop_timeout_ms has passed";
}

void reap_end_process(struct supervisor *s, uint32_t process, enum platform_signal how) {
    const struct process *p = &s->pool.processes[process];
    if (relay_give_up(s, process)) {
        return;
    }
    struct record *line =
        tell_line(s, p->fault == OUTCOME_NONE ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
                  how == PLATFORM_KILL ? "kill" : "terminate", p->service, process);
    if (line != NULL) {
        record_text(line, "reason", end_reason(s, p));
        run_log_end(&s->log);
    }
    platform_process_signal(s->processes[process].handle, how);
}

void reap_tell_stuck(struct supervisor *s, uint32_t process) {
    struct record *line =
        tell_line(s, LOG_LEVEL_ERROR, "kill_failed", s->pool.processes[process].service, process);
    if (line != NULL) {
        record_text(line, "reason", "the process was killed and has not ended");
        run_log_end(&s->log);
    }
}
