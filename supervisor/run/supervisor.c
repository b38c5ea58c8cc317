#include "run/supervisor.h"

#include "core/base/table.h"
#include "run/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_AT_A_TIME 64
/* How long the last act of an ordered stop, ending what escaped its process group, may take. */
#define STRAYS_US 2000000u
/* How long the rest of the log may take, when nobody reads it. */
#define LOG_CLOSE_US 3000000u

struct run_listener *supervisor_listener(struct supervisor *s, uint32_t service, uint32_t place) {
    return &s->listeners[s->services[service].first_listener + place];
}

/* ---- What the pool has decided ---- */

static void act(struct supervisor *s, const struct pool_action *action) {
    switch (action->kind) {
    case POOL_LAUNCH:
        launch_process(s, action->process);
        break;
    case POOL_OFFER:
        handoff_offer(s, action->process);
        break;
    case POOL_RELEASE:
        platform_socket_close(&s->sockets[action->connection]);
        listen_relieve(s);
        break;
    case POOL_ATTEMPT_FAILED:
        tell_attempt_failed(s, action);
        break;
    case POOL_RECORD:
        reap_record(s, action->connection);
        break;
    case POOL_SEND_DRAIN:
        handoff_send_drain(s, action->process);
        break;
    case POOL_CLOSE_CHANNEL:
        platform_channel_close(s->processes[action->process].handle);
        break;
    case POOL_TERMINATE:
        reap_end_process(s, action->process, PLATFORM_TERMINATE);
        break;
    case POOL_KILL:
        reap_end_process(s, action->process, PLATFORM_KILL);
        break;
    case POOL_CLOSE_PROCESS:
        reap_close_process(s, action->process);
        break;
    case POOL_STUCK:
        reap_tell_stuck(s, action->process);
        break;
    case POOL_CROWDED:
        launch_tell_crowded(s, action->service);
        break;
    case POOL_HELD_BACK:
        tell_held_back(s, action);
        break;
    case POOL_ROOM:
        listen_on_room(s, action->service);
        break;
    }
}

void supervisor_act(struct supervisor *s) {
    struct pool_action action;
    while (pool_next_action(&s->pool, &action)) {
        act(s, &action);
    }
}

/* ---- The loop ---- */

static void on_process_event(struct supervisor *s, const struct platform_event *event) {
    uint32_t process = slots_find(&s->pool.process_slots, event->token);
    if (process == SLOT_NONE) {
        return; /* was under way when the process was closed */
    }
    switch (event->kind) {
    case PLATFORM_EVENT_CHANNEL:
        handoff_on_channel(s, process, false);
        break;
    case PLATFORM_EVENT_WRITABLE:
        handoff_on_writable(s, process);
        break;
    case PLATFORM_EVENT_EXIT:
        reap_on_exit(s, process);
        break;
    default:
        break;
    }
}

static void on_stream_event(struct supervisor *s, const struct platform_event *event) {
    bool is_relay = event->token >> 52 == TOKEN_RELAY;
    uint32_t slot =
        slots_find(is_relay ? &s->relay_slots : &s->pool.connection_slots, event->token);
    if (slot == SLOT_NONE) {
        return; /* was under way when the stream was closed */
    }
    if (is_relay) {
        relay_on_stream(s, slot);
    } else {
        preface_on_stream(s, slot);
    }
}

static void on_event(struct supervisor *s, const struct platform_event *event) {
    uint32_t index = (uint32_t)(event->token & (SLOT_COUNT_MAX - 1));
    switch (event->kind) {
    case PLATFORM_EVENT_ACCEPT:
        listen_on_accept(s, index);
        break;
    case PLATFORM_EVENT_OUTPUT:
        output_on_readable(s, index);
        break;
    case PLATFORM_EVENT_STREAM:
        on_stream_event(s, event);
        break;
    case PLATFORM_EVENT_STOP:
        drain_on_stop(s);
        break;
    case PLATFORM_EVENT_LOG_WRITABLE:
        run_log_flush(&s->log);
        break;
    default:
        on_process_event(s, event);
        break;
    }
    supervisor_act(s);
}

/* Handlers' output waits while the log is congested. */
static void update_outputs(struct supervisor *s, bool *paused) {
    bool congested = run_log_is_congested(&s->log);
    if (congested == *paused) {
        return;
    }
    *paused = congested;
    for (uint32_t i = 0; i < s->table->service_count; i++) {
        if (congested) {
            platform_output_pause(s->services[i].output);
        } else {
            platform_output_resume(s->services[i].output);
        }
    }
}

static uint64_t next_deadline_us(const struct supervisor *s) {
    if (s->output.behind && !run_log_is_congested(&s->log)) {
        return 0; /* no event tells that there is room again: the log never said it had none */
    }
    if (s->ready_relay != SLOT_NONE) {
        return 0; /* it has not said AGAIN, so no event follows */
    }
    uint64_t pool_us = pool_next_deadline_us(&s->pool);
    uint64_t own_us = timers_next_us(&s->timers);
    return pool_us < own_us ? pool_us : own_us;
}

static void on_timer(struct supervisor *s, uint32_t owner) {
    uint32_t index = owner & ((1u << RUN_TIMER_SHIFT) - 1);
    switch ((enum run_timer)(owner >> RUN_TIMER_SHIFT)) {
    case RUN_TIMER_LISTENER:
        listen_try_again(s, index);
        break;
    case RUN_TIMER_RELAY:
        relay_on_timer(s, index);
        supervisor_act(s);
        break;
    case RUN_TIMER_RELIEF:
        break; /* listen_update() finds it unset */
    case RUN_TIMER_OFFERS:
        handoff_retry(s);
        break;
    }
}

static void tick(struct supervisor *s) {
    pool_tick(&s->pool, s->now_us);
    supervisor_act(s);
    struct timer *timer = timers_expired(&s->timers, s->now_us);
    for (; timer != NULL; timer = timers_expired(&s->timers, s->now_us)) {
        on_timer(s, timer->owner);
    }
}

static bool is_done(const struct supervisor *s) {
    return s->stopping && pool_is_empty(&s->pool);
}

static enum supervisor_result loop(struct supervisor *s) {
    struct platform_event events[EVENTS_AT_A_TIME];
    bool outputs_paused = false;
    while (!is_done(s)) {
        struct baton_cause cause = {0};
        int count =
            platform_wait(s->platform, events, EVENTS_AT_A_TIME, next_deadline_us(s), &cause);
        if (count < 0) {
            struct record *line = run_log_begin(&s->log, LOG_LEVEL_ERROR, "broken");
            if (line != NULL) {
                tell_reason(line, count, &cause);
                run_log_end(&s->log);
            }
            return SUPERVISOR_BROKEN;
        }
        s->now_us = platform_now_us(s->platform);
        for (int i = 0; i < count; i++) {
            /* A launch takes long enough to spoil the times of what follows it in the batch. */
            s->now_us = platform_now_us(s->platform);
            on_event(s, &events[i]);
        }
        relay_go_on(s);
        tick(s);
        run_log_flush(&s->log);
        output_catch_up(s);
        run_log_flush(&s->log);
        listen_update(s);
        update_outputs(s, &outputs_paused);
    }
    return SUPERVISOR_STOPPED;
}

/* ---- Start and end ---- */

static void print_failure(const char *what, int code, const struct baton_cause *cause) {
    char words[256];
    char text[1024];
    if (cause->call == NULL) {
        snprintf(text, sizeof text, "batond: error: %s: %s\n", what, baton_error_text(code));
    } else {
        platform_error_text(cause->system_code, words, sizeof words);
        snprintf(text, sizeof text, "batond: error: %s: %s: %s\n", what, cause->call, words);
    }
    platform_print(true, text);
}

static int create_tables(struct supervisor *s, const struct service_table *table) {
    s->table = table;
    s->told.connection = SLOT_NONE;
    uint64_t seed = 0;
    struct baton_cause cause = {0};
    int result = platform_random(&seed, sizeof seed, &cause);
    if (result == BATON_OK) {
        result = pool_init(&s->pool, table, seed);
    }
    if (result == BATON_OK) {
        result = relay_create(s);
    }
    if (result == BATON_OK) {
        result = preface_create(s);
    }
    if (result != BATON_OK) {
        return result;
    }
    s->services = calloc(table->service_count, sizeof *s->services);
    s->sockets = table_create(s->pool.connection_slots.count, sizeof *s->sockets);
    s->processes = table_create(s->pool.process_slots.count, sizeof *s->processes);
    if (s->services == NULL || s->sockets == NULL || s->processes == NULL) {
        return BATON_NO_MEMORY;
    }
    return listen_create(s);
}

static size_t count_streams(const struct supervisor *s) {
    size_t count = RELAY_STREAMS * s->relay_slots.count;
    for (size_t i = 0; i < s->table->service_count; i++) {
        const struct service *service = &s->table->services[i];
        count += service->proxy_protocol ? service->max_connections_count : 0;
    }
    return count;
}

/* False after saying why. */
static bool start(struct supervisor *s, const struct service_table *table) {
    struct baton_cause cause = {0};
    int result = create_tables(s, table);
    if (result != BATON_OK) {
        print_failure("cannot size the tables", result, &cause);
        return false;
    }
    struct platform_limits limits = {.process_count = s->pool.process_slots.count,
                                     .stream_count = count_streams(s)};
    result = platform_open(&limits, &s->platform, &cause);
    if (result != BATON_OK) {
        print_failure("cannot start", result, &cause);
        return false;
    }
    result =
        run_log_open(&s->log, s->platform, &table->options, s->pool.connection_slots.count, &cause);
    if (result != BATON_OK) {
        print_failure(table->options.log != NULL ? table->options.log : "standard error", result,
                      &cause);
        return false;
    }
    s->now_us = platform_now_us(s->platform);
    if (launch_prepare(s) != BATON_OK) {
        return false;
    }
    if (listen_open_all(s) > 0) {
        return true;
    }
    struct record *line = run_log_begin(&s->log, LOG_LEVEL_ERROR, "start_failed");
    if (line != NULL) {
        record_text(line, "reason", "not one listener could be opened");
        run_log_end(&s->log);
    }
    return false;
}

static void finish(struct supervisor *s, enum supervisor_result result) {
    listen_close_all(s);
    if (result == SUPERVISOR_STOPPED) {
        size_t strays = platform_end_strays(s->platform, platform_now_us(s->platform) + STRAYS_US);
        s->now_us = platform_now_us(s->platform);
        output_finish_all(s, s->now_us + LOG_CLOSE_US);
        struct record *line = run_log_begin(&s->log, LOG_LEVEL_INFO, "stopped");
        if (line != NULL) {
            record_number(line, "connections", s->pool.last_id);
            record_number(line, "strays", strays);
            run_log_end(&s->log);
        }
    }
}

enum supervisor_result supervisor_run(const struct service_table *table) {
    enum supervisor_result result = SUPERVISOR_NO_START;
    struct supervisor *s = table_create(1, sizeof *s);
    if (s == NULL) {
        platform_print(true, "batond: error: out of memory\n");
        return result;
    }
    if (start(s, table)) {
        run_log_flush(&s->log);
        result = loop(s);
        finish(s, result);
    }
    run_log_close(&s->log, s->now_us + LOG_CLOSE_US);
    listen_close_all(s);
    launch_clear(s);
    platform_close(&s->platform);
    relay_clear(s);
    free(s->prefaces);
    pool_clear(&s->pool);
    timers_clear(&s->timers);
    free(s->listeners);
    free(s->services);
    free(s->sockets);
    free(s->processes);
    free(s);
    return result;
}
