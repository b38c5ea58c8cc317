#include "core/base/text.h"
#include "run/internal.h"

#include <stdarg.h>
#include <string.h>

struct run_sink *run_tell_sink(struct supervisor *s, uint32_t service) {
    struct run_sink *own = service == SLOT_NONE ? NULL : s->launching.services[service].sink;
    return own != NULL ? own : &s->log.own;
}

struct record *run_tell_line(struct supervisor *s, enum log_level level, const char *event,
                             uint32_t service) {
    struct record *line = run_log_begin_in(&s->log, run_tell_sink(s, service), level, event);
    if (line != NULL && service != SLOT_NONE) {
        record_text(line, "service", services_get(&s->services, service)->name);
    }
    return line;
}

static void tell_place(struct record *line, const char *key, const struct run_listener *l) {
    const struct service *service = l->rules;
    record_place(line, key, &service->listen[l->place], &l->address);
}

static void tell_field(struct record *line, const char *field, va_list *arguments) {
    const char kind = strchr(field, '%')[1];
    if (kind == 's' || kind == 'p') {
        const void *what = va_arg(*arguments, const void *);
        if (kind == 'p') {
            tell_place(line, field, what);
        } else if (what != NULL) {
            record_text(line, field, what);
        }
        return;
    }
    uint64_t number =
        kind == 'l' ? va_arg(*arguments, unsigned long long) : va_arg(*arguments, unsigned);
    if (kind != 'i' || number != 0) {
        record_number(line, field, number);
    }
}

void run_tell(struct supervisor *s, enum log_level level, const char *event, uint32_t service,
              const char *format, ...) {
    struct record *line = run_tell_line(s, level, event, service);
    if (line == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    for (const char *blank = format; blank != NULL; blank = strchr(blank + 1, ' ')) {
        tell_field(line, *blank == ' ' ? blank + 1 : blank, &arguments);
    }
    va_end(arguments);
    run_log_end(&s->log);
}

const char *run_tell_words(struct supervisor *s, int code, const struct baton_cause *cause) {
    char words[256];
    if (cause->call == NULL) {
        return baton_error_text(code);
    }
    platform_error_text(cause->system_code, words, sizeof words);
    text_format(s->reason, sizeof s->reason, "%s: %s", cause->call, words);
    return s->reason;
}

void run_tell_at(struct supervisor *s, struct record *line, const struct service *rules,
                 size_t config_line) {
    char at[LACK_PATH_MAX_BYTES + 32];
    if (s->machine != NULL && s->machine->config_file != NULL && config_line > 0) {
        text_format(at, sizeof at, "%s:%lu",
                    service_file(rules, config_line, s->machine->config_file),
                    (unsigned long)config_line_number(config_line));
        record_text(line, "at", at);
    }
}

uint32_t run_tell_explain(const struct run_service *r, char text[LACK_TEXT_MAX_BYTES]) {
    struct service_lack lack;
    if (r->machine == NULL || !service_find_lack(r->rules, r->machine, &lack)) {
        return 0;
    }
    const char *cure = service_lack_text(&lack, r->machine, text);
    size_t length = strlen(text);
    text_format(text + length, LACK_TEXT_MAX_BYTES - length, "; %s", cure);
    return (uint32_t)lack.line + 1;
}

bool run_tell_lack(struct supervisor *s, uint32_t service, struct record *line) {
    struct service_lack lack;
    const struct service *rules = services_get(&s->services, service);
    char text[LACK_TEXT_MAX_BYTES];
    if (s->machine == NULL || !service_find_lack(rules, s->machine, &lack)) {
        return false;
    }
    const char *cure = service_lack_text(&lack, s->machine, text);
    run_tell_at(s, line, rules, lack.line);
    record_text(line, "reason", text);
    record_text(line, "hint", cure);
    return true;
}

void run_tell_held_back(struct supervisor *s, const struct pool_action *action) {
    const struct pool_service *service = &s->pool.services[action->service];
    run_tell(s, LOG_LEVEL_WARNING, "held_back", action->service, "reason=%s retry_ms=%llu",
             service->took_nobody                  ? "its handler ends and takes nobody who waits"
             : service->breaker.failures_count > 0 ? "its handler fails"
                                                   : "its handler ends quickly, again and again",
             (unsigned long long)action->pause_us / 1000);
}

void run_tell_breaker(struct supervisor *s, const struct pool_action *action) {
    if (action->pause_us == 0) {
        if (run_tell_line(s, LOG_LEVEL_INFO, "breaker_closed", action->service) != NULL) {
            run_log_end(&s->log);
        }
        return;
    }
    run_tell(s, LOG_LEVEL_WARNING, "breaker_opened", action->service,
             "failures=%u retry_ms=%llu reason=%s",
             s->pool.services[action->service].circuit.failures_count,
             (unsigned long long)action->pause_us / 1000,
             "no handler took a client, several times in a row; clients are refused until one is "
             "tried again");
}

void run_tell_spares_held_back(struct supervisor *s, const struct pool_action *action) {
    run_tell(s, LOG_LEVEL_WARNING, "spares_held_back", action->service, "reason=%s retry_ms=%llu",
             s->pool.services[action->service].spares_reason,
             (unsigned long long)action->pause_us / 1000);
}

/* It ran, said no HELLO, and was content: most likely it knows nothing of Baton, and a key was
 * forgotten. One that fails before its HELLO has another trouble, which it tells itself. */
static bool is_foreign(const struct supervisor *s, const struct pool_action *action) {
    const struct connection *c = &s->pool.connections[action->connection];
    bool was_content = c->has_exit && !c->exit_by_signal && c->exit_code == 0;
    bool was_silent = action->outcome == OUTCOME_HANDSHAKE_TIMEOUT ||
                      (action->outcome == OUTCOME_LAUNCH_FAILED && was_content);
    return was_silent && c->greeted_us == 0 && c->rules->has_channel;
}

void run_tell_attempt_failed(struct supervisor *s, const struct pool_action *action) {
    const struct connection *c = &s->pool.connections[action->connection];
    struct record *line = run_tell_line(s, LOG_LEVEL_WARNING, "attempt_failed", action->service);
    if (line != NULL) {
        if (s->pool.processes[action->process].pid != 0) {
            record_number(line, "pid", s->pool.processes[action->process].pid);
        }
        record_number(line, "id", c->id);
        record_number(line, "attempt", c->attempts_used);
        record_text(line, "reason", outcome_text(action->outcome));
        if (c->has_exit) {
            record_number(line, c->exit_by_signal ? "signal" : "exit", c->exit_code);
        }
        if (is_foreign(s, action)) {
            record_text(line, "hint",
                        "it said no HELLO; a program that was not written for Baton needs "
                        "`handoff = stdio`, `listener` or `pump`");
        }
        run_log_end(&s->log);
    }
}

/* Neither ended by us nor by what many do when a client has gone. */
static bool has_crashed(const struct process *p, const struct pool_exit *how) {
    return how->by_signal && !how->by_broken_pipe && p->state < PROCESS_TERMINATED;
}

void run_tell_crash(struct supervisor *s, uint32_t process, const struct pool_exit *how) {
    const struct process *p = &s->pool.processes[process];
    struct record *line = &s->log.line;
    if (!has_crashed(p, how)) {
        return;
    }
    struct record *copy = line->copy;
    line->copy = NULL; /* who follows the log is told of lines alone */
    record_begin(line, LOG_FORMAT_LOGFMT, platform_wall_us(s->platform), LOG_LEVEL_WARNING,
                 "crashed");
    record_text(line, "service", p->rules->name);
    record_text(line, "handler", p->rules->handler);
    record_number(line, "pid", p->pid);
    record_number(line, "signal", how->code);
    record_number(line, "taken", p->taken_count);
    record_end(line);
    run_entries_tell(&s->log.entries, s->platform, ENTRY_CRASHED, line);
    line->copy = copy;
}
