#include "run/internal.h"

#include <string.h>

static void write_record(struct supervisor *s, uint32_t connection);

/* ---- Records that wait for the end of a process ---- */

/* A handler says DONE and exits: what it has cost, its exit tells. */
static bool waits_for_cost(const struct supervisor *s, const struct connection *c) {
    if (!c->has_status || c->process == SLOT_NONE || c->rules->handoff != HANDOFF_CHANNEL ||
        c->rules->reuse_count != 1) {
        return false;
    }
    const struct run_process *r = &s->launching.processes[c->process];
    return r->handle != NULL && !r->exit_was_told && !run_waits_has(s, RUN_WAIT_RECORD, c->process);
}

static void wait_for_cost(struct supervisor *s, uint32_t connection) {
    uint32_t process = s->pool.connections[connection].process;
    s->launching.processes[process].unrecorded = connection;
    run_waits_add(s, RUN_WAIT_RECORD, process);
    pool_vacate(&s->pool, connection);
}

/* `how`: as the process has ended; NULL = it has not, or nobody knows. */
static void wait_no_more(struct supervisor *s, uint32_t process, const struct pool_exit *how) {
    if (!run_waits_has(s, RUN_WAIT_RECORD, process)) {
        return;
    }
    uint32_t connection = s->launching.processes[process].unrecorded;
    run_waits_remove(s, RUN_WAIT_RECORD, process);
    if (how != NULL) {
        pool_note_cost(&s->pool, connection, how);
    }
    write_record(s, connection);
}

void run_reap_on_timer(struct supervisor *s) {
    uint32_t process;
    while ((process = run_waits_take(s, RUN_WAIT_RECORD)) != SLOT_NONE) {
        write_record(s, s->launching.processes[process].unrecorded);
    }
}

/* ---- Ends ---- */

/* Everything that the process wrote before its end has been read. */
static void tell_exit(struct supervisor *s, uint32_t process, const struct pool_words *words) {
    struct platform_process *handle = s->launching.processes[process].handle;
    struct platform_exit how = platform_process_exit(handle);
    uint32_t service = s->pool.processes[process].service;
    const struct platform_writer writer = {platform_process_pid(handle),
                                           s->launching.processes[process].output_id};
    run_output_finish(s, service, &writer);
    const struct service *rules = s->pool.processes[process].rules;
    /* Who waits where workers are may be taken by any of them. */
    if (rules->handoff == HANDOFF_LISTENER && rules->workers_count == 0) {
        pool_note_progress(&s->pool, process, run_accept_judge(s, service));
    }
    struct baton_cause cause;
    if (platform_process_was_deaf(handle, &cause)) {
        run_tell(s, LOG_LEVEL_INFO, "break_failed", service, "pid=%u reason=%s", writer.pid,
                 run_tell_words(s, BATON_SYSTEM, &cause));
    }
    struct pool_exit ended = {.by_signal = how.by_signal,
                              .code = how.code,
                              .by_broken_pipe = how.by_broken_pipe,
                              .cpu_us = how.cpu_us,
                              .memory_peak_kib = how.memory_peak_kib};
    wait_no_more(s, process, &ended);
    if (platform_has_event_log(s->platform)) {
        run_tell_crash(s, process, &ended);
    }
    pool_exited(&s->pool, process, ended, words);
}

static void is_ending_no_more(struct supervisor *s, struct run_process *r) {
    s->launching.ending_count -= r->is_ending ? 1 : 0;
    r->is_ending = false;
}

bool run_reap_on_exit(struct supervisor *s, uint32_t process) {
    struct run_process *r = &s->launching.processes[process];
    if (r->pump != SLOT_NONE) {
        r->exit_was_told = true;
        run_reap_pumped(s, run_pump_on_exit(s, process));
        return false;
    }
    if (!r->is_ending) {
        r->is_ending = true;
        s->launching.ending_count++;
    }
    /* What it wrote before its end decides: an ACK found there means that the client was taken. */
    pool_exiting(&s->pool, process);
    if (run_handoff_on_channel(s, process)) {
        return true; /* it comes to an end: no more is received than lay there */
    }
    is_ending_no_more(s, r);
    r->exit_was_told = true;
    tell_exit(s, process, NULL);
    return false;
}

void run_reap_pumped(struct supervisor *s, const struct run_pump_end *end) {
    if (end != NULL) {
        pool_exiting(&s->pool, end->process);
        tell_exit(s, end->process, &end->words);
    }
}

static void write_record(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    const struct service *service = c->rules;
    size_t text_bytes = 0;
    const char *text = pool_text_of(&s->pool, connection, &text_bytes);
    bool is_refusal = outcome_is_refusal(c->outcome);
    run_control_count(s, c);
    bool is_told = is_refusal ? run_refuse_may_record(s, c)
                              : c->outcome != OUTCOME_SERVED || service->log_served != 0;
    run_preface_stop(s, connection);
    if (is_told || service->refuse_message != NULL) {
        run_accept_name_local(s, connection);
    }
    if (is_refusal) {
        run_refuse_client(s, connection);
    } else if (c->attempts_used > 0) { /* what was offered may lie unread in a channel */
        platform_socket_end(s->platform, &s->sockets[connection]);
    } else {
        platform_socket_close(s->platform, &s->sockets[connection]);
    }
    if (is_told) {
        char rule[REFUSE_RULE_BYTES];
        if (c->outcome == OUTCOME_REFUSED_ACCESS && text_bytes == 0) {
            text = run_refuse_rule(s, c, rule);
            text_bytes = strlen(text);
        }
        const struct run_sink *sink = run_log_prepare(&s->log, run_tell_sink(s, c->service));
        record_connection(&s->log.line, sink->format, c, service, text, text_bytes);
        run_log_keep(&s->log);
    }
    if (!c->is_activation) {
        pool_forget(&s->pool, connection);
    }
    run_pause_relieve(s);
}

void run_reap_record(struct supervisor *s, uint32_t connection) {
    if (waits_for_cost(s, &s->pool.connections[connection])) {
        wait_for_cost(s, connection);
    } else {
        write_record(s, connection);
    }
}

void run_reap_activation(struct supervisor *s, uint32_t connection) {
    uint32_t service = s->pool.connections[connection].service;
    uint32_t place = s->pool.connections[connection].place;
    if (s->pool.connections[connection].rules->workers_count > 0) {
        run_workers_on_end(s, connection);
    }
    pool_forget(&s->pool, connection); /* first, or the listener would seem to have no room */
    run_accept_give_back(s, service, place);
}

void run_reap_close_process(struct supervisor *s, uint32_t process) {
    wait_no_more(s, process, NULL);
    run_waits_remove(s, RUN_WAIT_MEASURE, process);
    run_launch_forget_process(s, process);
    run_living_tell_end(s, process);
    is_ending_no_more(s, &s->launching.processes[process]); /* when a stop has given up on it */
    run_pump_close(s, process); /* still there when a stop has given up on the process */
    platform_process_close(&s->launching.processes[process].handle);
    pool_reaped(&s->pool, process);
    run_pause_relieve(s);
}
