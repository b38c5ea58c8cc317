#include "core/base/text.h"
#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- Asking, and loading beside the loop ---- */

static void load(void *context) {
    struct run_loading *loading = context;
    loading->result =
        loading->source->load(loading->source->context, &loading->table, &loading->problems);
}

static void free_loading(struct run_reload *reload) {
    service_table_clear(&reload->loading->table);
    free(reload->loading->problems);
    free(reload->loading);
    reload->loading = NULL;
}

static void clear_report(struct run_report *report) {
    arena_destroy(&report->arena);
    free(report->problems);
    memset(report, 0, sizeof *report);
}

static void refuse(struct supervisor *s, const char *reason) {
    text_format(s->reload.report.reason, sizeof s->reload.report.reason, "%s", reason);
    run_tell(s, LOG_LEVEL_ERROR, "reload_failed", SLOT_NONE, "reason=%s hint=%s", reason,
             "everything goes on as before");
}

/* What was asked for meanwhile is one more. */
static void end(struct supervisor *s);

static void begin(struct supervisor *s) {
    struct run_reload *reload = &s->reload;
    struct baton_cause cause = {0};
    clear_report(&reload->report);
    reload->begun_count = reload->asked_count;
    int result = BATON_NO_MEMORY;
    reload->loading = calloc(1, sizeof *reload->loading);
    if (reload->loading != NULL) {
        reload->loading->source = s->source;
        result = platform_work_start(s->platform, load, reload->loading,
                                     token_make(RUN_TOKEN_RELOAD, 0, 0), &cause);
    }
    if (result != BATON_OK) {
        refuse(s, run_tell_words(s, result, &cause));
        free(reload->loading);
        reload->loading = NULL;
        end(s);
    }
}

static void end(struct supervisor *s) {
    struct run_reload *reload = &s->reload;
    reload->done_count = reload->begun_count;
    if (s->stopping) {
        return;
    }
    if (reload->asked_count != reload->begun_count) {
        run_reload_go_on(s);
    } else {
        run_manager_on_reloaded(s);
    }
}

const char *run_reload_refusal(const struct supervisor *s) {
    bool is_input = s->machine != NULL && s->machine->config_is_input;
    return s->stopping         ? "batond is being stopped"
           : s->source == NULL ? "there is no config to be read"
           : is_input          ? "the config was read from standard input"
                               : NULL;
}

int run_reload_ask(struct supervisor *s, const char *by) {
    const char *refusal = run_reload_refusal(s);
    if (refusal != NULL) {
        run_tell(s, LOG_LEVEL_WARNING, "reload_refused", SLOT_NONE, "by=%s reason=%s", by, refusal);
        return BATON_UNSUPPORTED;
    }
    run_tell(s, LOG_LEVEL_INFO, "reloading", SLOT_NONE, "by=%s", by);
    run_manager_on_reload(s);
    s->reload.asked_count++;
    run_reload_go_on(s);
    return BATON_OK;
}

void run_reload_go_on(struct supervisor *s) {
    bool is_restarting = s->restart.done_count != s->restart.asked_count;
    if (s->reload.loading == NULL && s->reload.begun_count != s->reload.asked_count &&
        !is_restarting) {
        begin(s);
    }
}

/* ---- What came of it ---- */

size_t run_reload_problem(const char *problems, size_t at, char *out, size_t size_bytes) {
    const char *text = problems == NULL ? "" : problems + at;
    size_t length = strcspn(text, "\n");
    size_t kept = length < size_bytes ? length : size_bytes - 1;
    memcpy(out, text, kept);
    out[kept] = '\0';
    return text[0] == '\0' ? 0 : length + 1;
}

void run_reload_tell_problems(struct supervisor *s, enum log_level level, const char *problems) {
    char line[RELOAD_PROBLEM_BYTES];
    size_t at = 0, length;
    while ((length = run_reload_problem(problems, at, line, sizeof line)) > 0) {
        run_tell(s, level, "config_problem", SLOT_NONE, "text=%s", line);
        at += length;
    }
}

static void tell_problems(struct supervisor *s) {
    run_reload_tell_problems(s, LOG_LEVEL_ERROR, s->reload.report.problems);
}

/* What services lack is told by these; what else is wrong with what is served now. */
static void tell_warnings(struct supervisor *s, const char *warnings) {
    struct run_report *r = &s->reload.report;
    free(r->problems);
    r->problems = warnings == NULL ? NULL : strdup(warnings);
    run_reload_tell_problems(s, LOG_LEVEL_WARNING, warnings);
}

/* For the report and the log. */
static void tell_change(struct supervisor *s, const struct run_change *change) {
    struct run_report *r = &s->reload.report;
    struct run_change copy = *change;
    copy.name = arena_text(r->arena, change->name);
    copy.keys = change->keys == NULL ? NULL : arena_text(r->arena, change->keys);
    r->counts[change->kind]++;
    if (!arena_failed(r->arena)) {
        r->changes[r->change_count++] = copy;
    }
    if (change->kind != CHANGE_UNCHANGED) {
        run_tell(s, LOG_LEVEL_INFO, "service_changed", SLOT_NONE, "service=%s change=%s keys=%s",
                 change->name, run_change_word(change->kind), change->keys);
    }
}

static bool make_report(struct supervisor *s) {
    struct run_report *r = &s->reload.report;
    size_t most_count = s->reload.loading->table.service_count + s->services.slots.in_use_count;
    r->arena = arena_create();
    r->changes =
        r->arena == NULL ? NULL : arena_alloc(r->arena, (most_count + 1) * sizeof *r->changes);
    return r->changes != NULL;
}

/* Connections that may have to be recorded while nothing can be written. */
static size_t count_connections(const struct supervisor *s) {
    size_t count = 0;
    const struct service_table *table = &s->reload.loading->table;
    for (size_t i = 0; i < table->service_count; i++) {
        count += table->services[i].max_connections_count;
    }
    SLOTS_EACH(slot, &s->services.slots) {
        count += services_get(&s->services, slot)->max_connections_count;
    }
    return count;
}

static void apply(struct supervisor *s) {
    const struct service_table *table = &s->reload.loading->table;
    struct run_plan plan;
    const char *loser = NULL;
    const struct run_sink_spec spec = s->log.spec;
    if (!run_change_plan(s, table, &plan) || !make_report(s) ||
        !run_log_reserve(&s->log, count_connections(s))) {
        refuse(s, baton_error_text(BATON_NO_MEMORY));
    } else if ((loser = run_change_find_loss(s, &plan)) != NULL) {
        char reason[128];
        text_format(reason, sizeof reason, "`%s` serves, and would lack something", loser);
        tell_problems(s);
        refuse(s, reason);
    } else if (!run_options_may_change(s, &table->options)) {
        refuse(s, "what [supervisor] says of `user` takes a stop and a start");
    } else if (run_log_expect(&s->log, &table->options), !run_change_add(s, &plan)) {
        s->log.spec = spec;
        refuse(s, "there is no room for so many services beside those that were and have clients");
    } else {
        tell_warnings(s, table->warnings);
        run_change_tell_all(s, &plan, tell_change);
        run_options_change(s, &table->options);
        run_change_carry_out(s, &plan);
        const size_t *counts = s->reload.report.counts;
        run_tell(s, LOG_LEVEL_INFO, "reloaded", SLOT_NONE,
                 "added=%u removed=%u changed=%u unchanged=%u", (unsigned)counts[CHANGE_ADDED],
                 (unsigned)counts[CHANGE_REMOVED], (unsigned)counts[CHANGE_CHANGED],
                 (unsigned)counts[CHANGE_UNCHANGED]);
    }
    run_change_free(&plan);
}

void run_reload_on_loaded(struct supervisor *s) {
    struct run_reload *reload = &s->reload;
    int result = reload->loading->result;
    reload->report.problems = reload->loading->problems;
    reload->loading->problems = NULL;
    if (s->stopping) {
        refuse(s, "batond is being stopped");
    } else if (result == BATON_OK) {
        apply(s);
    } else {
        tell_problems(s);
        refuse(s, result == BATON_INVALID  ? "the config has faults"
                  : result == BATON_SYSTEM ? "the config could not be read"
                                           : baton_error_text(result));
    }
    free_loading(reload);
    end(s);
}

void run_reload_take(struct supervisor *s, struct service_table *table) {
    struct run_reload *reload = &s->reload;
    reload->loading = calloc(1, sizeof *reload->loading);
    if (reload->loading == NULL) {
        refuse(s, baton_error_text(BATON_NO_MEMORY));
        service_table_clear(table);
        end(s);
        return;
    }
    reload->loading->table = *table;
    *table = (struct service_table){0};
    run_reload_on_loaded(s);
}

void run_reload_clear(struct supervisor *s) {
    if (s->reload.loading != NULL && platform_work_end(s->platform)) {
        free_loading(&s->reload);
    } /* else what it has is its own until the process ends */
    clear_report(&s->reload.report);
}
