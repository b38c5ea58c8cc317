/* The start and the end of the supervisor; what is between them is loop.c. */
#include "run/supervisor.h"

#include "core/base/table.h"
#include "core/base/text.h"
#include "run/internal.h"
#include "run/loop.h"
#include "run/sized.h"
#include "run/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* How long the last act of an ordered stop, ending what escaped its process group, may take. */
#define STRAYS_US 2000000u
/* How long the rest of the log may take after a start that failed, when nobody reads it. */
#define LOG_CLOSE_US 3000000u

/* Timers that may be set at once: those of the pool and of listeners, one of each service that
 * cannot start yet, one of each that lacks workers, one of each whose handler has changed, one of
 * each pump, of each refusal and each control client, and those of waits, of offers, of spares, of
 * the service manager, of a restart and of what is left out of output and refusals. */
#define TIMERS_COUNT(connections)                                                                  \
    (POOL_TIMERS_COUNT(connections) + LISTENING_TIMERS_MAX_COUNT + 3u * SERVICES_MAX_COUNT +       \
     (connections) + REFUSALS_MAX_COUNT + RUN_WAITS_COUNT + CONTROL_TIMERS_COUNT + 7u)

_Static_assert(PLATFORM_PROCESS_COUNT_MAX ==
                   POOL_PROCESSES_PER_CONNECTION * POOL_CONNECTIONS_MAX_COUNT,
               "the platform has room for every process of the pool");
_Static_assert(PLATFORM_STREAM_COUNT_MAX == 4u * POOL_CONNECTIONS_MAX_COUNT,
               "and for every pump and PROXY header");

/* ---- Start ---- */

/* Comes back at once where this is no restart. */
static void fall_back(const struct supervisor_source *source) {
    if (source != NULL) {
        platform_restart_fall_back(source->argv, "the new batond lacks what it takes to begin");
    }
}

static void print_failure(struct supervisor *s, const char *what, int code,
                          const struct baton_cause *cause) {
    char text[1024];
    text_format(text, sizeof text, "batond: error: %s: %s\n", what, run_tell_words(s, code, cause));
    (void)platform_print(true, text);
}

static int create_parts(struct supervisor *s, uint32_t connection_count) {
    uint64_t seed = 0;
    struct baton_cause cause = {0};
    int (*const parts[])(struct supervisor *) = {run_listen_create, run_launch_create,
                                                 run_pump_create};
    int result = platform_random(&seed, sizeof seed, &cause);
    if (result == BATON_OK) {
        result = services_init(&s->services);
    }
    if (result == BATON_OK) {
        result = timers_init(&s->timers, TIMERS_COUNT(connection_count));
    }
    if (result == BATON_OK) {
        result = pool_init(&s->pool, &s->services, &s->timers, seed, connection_count);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts && result == BATON_OK; i++) {
        result = parts[i](s);
    }
    run_handoff_create(s);
    s->sockets = table_create(connection_count, sizeof *s->sockets);
    return result == BATON_OK && s->sockets == NULL ? BATON_NO_MEMORY : result;
}

/* Takes the services of the table over. */
static bool add_services(struct supervisor *s, struct service_table *table) {
    struct baton_cause cause = {0};
    for (size_t i = 0; i < table->service_count; i++) {
        if (run_roster_add(s, &table->services[i]) == SLOT_NONE) {
            print_failure(s, table->services[i].name, BATON_NO_MEMORY, &cause);
            return false;
        }
    }
    if (table->options.user == NULL) {
        service_table_clear(table);
    }
    return true;
}

/* What is open stays open. Programs know what a child has to change of what we are. */
static bool become_user(struct supervisor *s, struct service_table *table) {
    const struct supervisor_options *options = &table->options;
    struct baton_cause cause = {0};
    if (options->user == NULL) {
        return true;
    }
    int result =
        platform_become(s->platform, &options->identity, options->forbids_new_privileges, &cause);
    if (result == BATON_OK) {
        result = run_launch_renew_all(s, &cause);
    }
    if (result != BATON_OK) {
        print_failure(s, "cannot become the user of [supervisor]", result, &cause);
        return false;
    }
    service_table_clear(table);
    if (s->log.own.path != NULL || s->log.services != NULL) {
        (void)run_drain_reopen_log(s); /* so that it is known now whether it will work */
    }
    return true;
}

/* Connections that may have to be recorded while nothing can be written. */
static size_t count_connections(const struct service_table *table) {
    size_t count = 0;
    for (size_t i = 0; i < table->service_count; i++) {
        count += table->services[i].max_connections_count;
    }
    return count;
}

/* Of a restart, whose services do not end because their log is another's by now: then standard
 * error stands for it. */
static int open_log(struct supervisor *s, const struct service_table *table,
                    struct baton_cause *cause) {
    size_t count = count_connections(table);
    int result = run_log_open(&s->log, s->platform, &table->options, count, cause);
    if (result == BATON_OK || platform_restarted() == NULL || table->options.log == NULL) {
        return result;
    }
    struct supervisor_options options = table->options;
    char reason[TELL_REASON_BYTES];
    text_format(reason, sizeof reason, "%s", run_tell_words(s, result, cause));
    options.log = NULL;
    options.log_is_syslog = false;
    run_sink_clear(&s->log.own);
    result = run_log_open(&s->log, s->platform, &options, count, cause);
    if (result == BATON_OK) {
        run_tell(s, LOG_LEVEL_ERROR, "log_failed", SLOT_NONE, "log=%s reason=%s hint=%s",
                 table->options.log, reason, "its lines stand here until a reload can open it");
    }
    return result;
}

/* All that there is before a service is. False after saying why. */
static bool open_parts(struct supervisor *s, const struct service_table *table,
                       uint32_t connection_count) {
    struct baton_cause cause = {0};
    int result = create_parts(s, connection_count);
    if (result != BATON_OK) {
        print_failure(s, "cannot make the tables", result, &cause);
        return false;
    }
    result = platform_open(&s->platform, &cause);
    if (result != BATON_OK) {
        print_failure(s, "cannot start", result, &cause);
        return false;
    }
    result = run_options_keep(s, &table->options);
    if (result == BATON_OK) {
        result = open_log(s, table, &cause);
    }
    if (result != BATON_OK) {
        print_failure(s, table->options.log != NULL ? table->options.log : "standard error", result,
                      &cause);
        return false;
    }
    s->timers.now_us = platform_now_us(s->platform);
    s->pool.offers_early = platform_offers_at_launch(s->platform);
    pool_limit(&s->pool, &table->options.limits, table->options.max_connections_count);
    pool_know_processors(&s->pool, platform_processors_count());
    return true;
}

/* The table holds, and the loop reads no folder. */
static void start_launchers(struct supervisor *s, enum launchers launchers) {
    if (s->machine != NULL && s->machine->looks_left != NULL) {
        *s->machine->looks_left = 0;
    }
    run_options_start_launchers(s, launchers);
}

/* Of a batond that has become this one. The services are as it had them, and then as the table has
 * them; without services the table has nothing but options, and this is the old one once more. */
static bool take_over(struct supervisor *s, struct service_table *table) {
    const struct platform_restarted *left = platform_restarted();
    const enum launchers launchers = table->options.launchers; /* the table is emptied */
    const char *fault = NULL;
    const struct baton_cause none = {0};
    int result = run_snapshot_load(s, left, &fault);
    if (result != BATON_OK) {
        char reason[256];
        text_format(reason, sizeof reason, "the new batond cannot take over %s: %s", fault,
                    baton_error_text(result));
        if (left->failure != NULL) { /* else the old one tells it */
            print_failure(s, fault, result, &none);
        }
        platform_restart_fall_back(s->source->argv, reason);
        return false;
    }
    const char *failure = left->failure;
    bool is_back = failure != NULL;
    platform_restart_forget();
    run_restart_tell(s, failure);
    run_control_change(s, &table->options);
    start_launchers(s, launchers);
    if (is_back) {
        service_table_clear(table);
        run_manager_on_reloaded(s);
    } else {
        run_reload_take(s, table);
    }
    SLOTS_EACH(slot, &s->listening.slots) {
        run_pause_update_listener(s, &s->listening.listeners[slot]);
    }
    run_pump_resume_all(s);
    return true;
}

/* False after saying why. */
static bool start(struct supervisor *s, struct service_table *table, uint32_t connection_count) {
    const enum launchers launchers = table->options.launchers; /* the table is emptied */
    if (!open_parts(s, table, connection_count)) {
        fall_back(s->source);
        return false;
    }
    if (platform_restarted() != NULL) {
        return take_over(s, table);
    }
    const struct service_machine *machine = s->machine;
    if (machine != NULL && (machine->config_path != NULL || machine->config_is_input)) {
        run_tell(s, LOG_LEVEL_INFO, "starting", SLOT_NONE, "config=%s pieces=%i pid=%u",
                 machine->config_is_input ? machine->config_file : machine->config_path,
                 (unsigned)table->piece_count, platform_own_pid());
    }
    run_reload_tell_problems(s, LOG_LEVEL_WARNING, table->warnings);
    run_control_open(s, &table->options);
    if (!add_services(s, table)) {
        return false;
    }
    uint32_t open_count = run_listen_open_all(s);
    if (open_count > 0 && !become_user(s, table)) {
        return false;
    }
    run_start_tell(s, open_count > 0);
    start_launchers(s, launchers);
    bool has_room = run_descriptors_suffice(s);
    if (open_count > 0 && has_room) {
        run_listen_tell_ready(s);
        run_start_workers(s);
        run_manager_on_start(s);
        return true;
    }
    run_tell(s, LOG_LEVEL_ERROR, "start_failed", SLOT_NONE, "reason=%s",
             open_count > 0 ? "not one connection could be served"
                            : "not one listener could be opened");
    return false;
}

/* ---- End ---- */

/* One whose service is not known, or is none of ours. */
static bool unknown_ends(const struct supervisor *s) {
    bool all = true;
    SLOTS_EACH(i, &s->services.slots) {
        all = all && !service_leaves_children(services_get(&s->services, i));
    }
    return all;
}

static bool stray_ends(void *context, const char *name) {
    const struct supervisor *s = context;
    SLOTS_EACH(i, &s->services.slots) {
        const struct service *service = services_get(&s->services, i);
        if (name != NULL && strcmp(service->name, name) == 0) {
            return !service_leaves_children(service);
        }
    }
    return unknown_ends(s);
}

/* Nobody is asked what it is where the answer is the same for all. */
static size_t end_strays(struct supervisor *s, size_t *left_count) {
    struct platform_strays strays = {.context = s};
    SLOTS_EACH(i, &s->services.slots) {
        if (!service_leaves_children(services_get(&s->services, i))) {
            strays.ends = stray_ends;
        }
    }
    size_t ended_count = platform_end_strays(s->platform, unknown_ends(s) ? NULL : &strays,
                                             platform_now_us(s->platform) + STRAYS_US);
    *left_count = strays.left_count;
    return ended_count;
}

/* Who has the patience for handlers has it for the log. */
static uint64_t log_patience_us(const struct supervisor *s) {
    uint64_t most_ms = 0;
    SLOTS_EACH(i, &s->services.slots) {
        uint64_t timeout_ms = services_get(&s->services, i)->stop_timeout_ms;
        most_ms = timeout_ms > most_ms ? timeout_ms : most_ms;
    }
    return most_ms * 1000u;
}

static void finish(struct supervisor *s) {
    size_t left_count = 0;
    run_listen_close_all(s);
    size_t strays = end_strays(s, &left_count);
    s->timers.now_us = platform_now_us(s->platform);
    s->log_deadline_us = s->timers.now_us + log_patience_us(s);
    run_output_finish_all(s, s->log_deadline_us);
    run_log_settle(&s->log, s->log_deadline_us);
    size_t told_count = run_refuse_tell_suppressed(s);
    run_log_settle(&s->log, s->log_deadline_us); /* so that there is room for the last line */
    s->log.own.untold_count = s->log.own.is_failing || s->log.own.used_bytes > 0 ? told_count : 0;
    run_tell(s, LOG_LEVEL_INFO, "stopped", SLOT_NONE, "connections=%llu strays=%u left=%u",
             (unsigned long long)s->pool.last_id, (unsigned)strays, (unsigned)left_count);
    run_control_finish(s);
}

/* Frees everything, however far the start has come. False if lines of the log were lost. */
static bool clear(struct supervisor *s) {
    if (s->log_deadline_us == 0) {
        s->log_deadline_us = s->timers.now_us + LOG_CLOSE_US;
    }
    run_reload_clear(s);
    run_restart_clear(s);
    bool is_whole = run_log_close(&s->log, s->log_deadline_us) == 0;
    run_listen_close_all(s);
    run_launch_clear(s);
    run_refuse_clear(s);
    run_control_clear(s);
    run_options_clear(s);
    platform_close(&s->platform);
    run_pump_clear(s);
    run_preface_clear(s);
    run_listen_clear(s);
    pool_clear(&s->pool);
    timers_clear(&s->timers);
    services_clear(&s->services);
    free(s->sockets);
    free(s);
    return is_whole;
}

enum supervisor_result supervisor_run_sized(struct service_table *table,
                                            const struct service_machine *machine,
                                            const struct supervisor_source *source,
                                            uint32_t connection_count) {
    enum supervisor_result result = SUPERVISOR_NO_START;
    struct supervisor *s = table_create(1, sizeof *s);
    if (s == NULL) {
        (void)platform_print(true, "batond: error: out of memory\n");
        fall_back(source);
        return result;
    }
    s->machine = machine;
    s->source = source;
    if (start(s, table, connection_count)) {
        run_log_flush(&s->log);
        result = run_loop_run(s) == BATON_OK ? SUPERVISOR_STOPPED : SUPERVISOR_BROKEN;
    }
    if (result == SUPERVISOR_STOPPED) {
        finish(s);
    } else {
        run_listen_close_all(s);
    }
    if (!clear(s) && result == SUPERVISOR_STOPPED) {
        result = SUPERVISOR_LOG_LOST;
    }
    return result;
}

void supervisor_snapshot_layout(char out[20]) {
    text_format(out, 20, "%lx", (unsigned long)run_snapshot_layout());
}

enum supervisor_result supervisor_run(struct service_table *table,
                                      const struct service_machine *machine,
                                      const struct supervisor_source *source) {
    return supervisor_run_sized(table, machine, source, POOL_CONNECTIONS_MAX_COUNT);
}
