/* What control clients are told of a reload, and of services that were switched off: what has
 * happened, or that it is waited for. */
#include "core/base/text.h"
#include "run/internal.h"

#include <string.h>

/* ---- A reload ---- */

/* The next one of these lines, as the log has it. They come `behind` so many others. */
static bool tell_problem(struct supervisor *s, struct run_control_client *c, const char *problems,
                         size_t behind) {
    char text[RELOAD_PROBLEM_BYTES];
    size_t length = run_reload_problem(problems, c->cursor - behind, text, sizeof text);
    if (length == 0) {
        return false;
    }
    c->cursor += (uint32_t)length;
    control_begin(s->control.line, "problem");
    record_text(s->control.line, "text", text);
    record_end(s->control.line);
    return true;
}

static void tell_change(struct supervisor *s, const struct run_change *change) {
    struct record *line = s->control.line;
    control_begin(line, "change");
    record_text(line, "service", change->name);
    record_text(line, "what", run_change_word(change->kind));
    if (change->keys != NULL) {
        record_text(line, "keys", change->keys);
    }
    if (change->is_off) {
        record_flag(line, "off", true);
    }
    record_end(line);
}

enum run_control_more run_control_next_change(struct supervisor *s, struct run_control_client *c) {
    const struct run_report *report = &s->reload.report;
    if (s->reload.done_count < c->reload_count || s->reload.loading != NULL) {
        return c->cursor == 0 ? RUN_CONTROL_WAITS : RUN_CONTROL_END; /* the next one has come */
    }
    c->waits = false;
    if (c->cursor < report->change_count) {
        tell_change(s, &report->changes[c->cursor++]);
        return RUN_CONTROL_LINE;
    }
    if (tell_problem(s, c, report->problems, report->change_count)) {
        return RUN_CONTROL_LINE;
    }
    if (report->reason[0] != '\0') {
        c->code = report->problems != NULL ? CONTROL_CONFIG_INVALID : CONTROL_FAILED;
        c->text = report->reason;
    }
    return RUN_CONTROL_END;
}

/* ---- A restart ---- */

/* In the batond of before it has failed; who is asked by the new one has it. */
enum run_control_more run_control_next_restart(struct supervisor *s, struct run_control_client *c) {
    if (s->restart.done_count < c->restart_count) {
        return RUN_CONTROL_WAITS;
    }
    c->waits = false;
    if (s->restart.reason[0] == '\0') {
        return RUN_CONTROL_END;
    }
    if (tell_problem(s, c, s->restart.problems, 0)) {
        return RUN_CONTROL_LINE;
    }
    c->code = s->restart.problems != NULL ? CONTROL_CONFIG_INVALID : CONTROL_FAILED;
    c->text = s->restart.reason;
    return RUN_CONTROL_END;
}

/* ---- A service that is to be over ---- */

/* What is left of it, as it was in earlier configs too; false if it is on again, or has left. */
static bool count_left(const struct supervisor *s, const struct run_control_client *c,
                       uint32_t *connections_count, uint32_t *processes_count) {
    uint32_t service = slots_find(&s->services.slots, c->of_service);
    if (service == SLOT_NONE) {
        return false;
    }
    const char *name = services_get(&s->services, service)->name;
    *connections_count = *processes_count = 0;
    SLOTS_EACH(slot, &s->services.slots) {
        if (strcmp(services_get(&s->services, slot)->name, name) == 0) {
            *connections_count += s->pool.services[slot].live_count;
            *processes_count += s->pool.services[slot].process_count;
        }
    }
    return true;
}

bool run_control_has_news(const struct supervisor *s, const struct run_control_client *c) {
    uint32_t connections_count, processes_count;
    if (c->verb == CONTROL_VERB_RELOAD) {
        return s->reload.done_count >= c->reload_count && s->reload.loading == NULL;
    }
    if (c->verb == CONTROL_VERB_RESTART) {
        return s->restart.done_count >= c->restart_count;
    }
    return !count_left(s, c, &connections_count, &processes_count) ||
           connections_count != c->seen_connections_count ||
           processes_count != c->seen_processes_count;
}

void run_control_await_service(struct supervisor *s, struct run_control_client *c,
                               uint32_t service) {
    c->waits = true;
    c->of_service = slots_token(&s->services.slots, 0, service);
    c->seen_connections_count = c->seen_processes_count = UINT32_MAX;
}

enum run_control_more run_control_next_wait(struct supervisor *s, struct run_control_client *c) {
    uint32_t connections_count, processes_count;
    if (!c->waits || !count_left(s, c, &connections_count, &processes_count) ||
        (connections_count == 0 && processes_count == 0)) {
        c->waits = false;
        return RUN_CONTROL_END;
    }
    if (connections_count == c->seen_connections_count &&
        processes_count == c->seen_processes_count) {
        return RUN_CONTROL_WAITS;
    }
    c->seen_connections_count = connections_count;
    c->seen_processes_count = processes_count;
    struct record *line = s->control.line;
    control_begin(line, "waiting");
    record_text(line, "service",
                services_get(&s->services, slots_find(&s->services.slots, c->of_service))->name);
    record_number(line, "connections", connections_count);
    record_number(line, "processes", processes_count);
    record_end(line);
    return RUN_CONTROL_LINE;
}
