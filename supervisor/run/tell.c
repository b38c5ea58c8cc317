#include "core/service/lack.h"
#include "run/internal.h"

#include <stdio.h>
#include <string.h>

struct record *run_tell_line(struct supervisor *s, enum log_level level, const char *event,
                             uint32_t service, uint32_t process) {
    struct record *line = run_log_begin(&s->log, level, event);
    if (line != NULL) {
        record_text(line, "service", services_get(&s->services, service)->name);
        if (process != SLOT_NONE && s->pool.processes[process].pid != 0) {
            record_number(line, "pid", s->pool.processes[process].pid);
        }
    }
    return line;
}

const char *run_tell_words(int code, const struct baton_cause *cause, char *out) {
    char words[256];
    if (cause->call == NULL) {
        return baton_error_text(code);
    }
    platform_error_text(cause->system_code, words, sizeof words);
    snprintf(out, TELL_REASON_BYTES, "%s: %s", cause->call, words);
    return out;
}

void run_tell_reason(struct record *line, int code, const struct baton_cause *cause) {
    char reason[TELL_REASON_BYTES];
    record_text(line, "reason", run_tell_words(code, cause, reason));
}

void run_tell_at(struct supervisor *s, struct record *line, size_t config_line) {
    char at[LACK_PATH_MAX_BYTES + 32];
    if (s->machine != NULL && s->machine->config_file != NULL && config_line > 0) {
        snprintf(at, sizeof at, "%s:%lu", s->machine->config_file, (unsigned long)config_line);
        record_text(line, "at", at);
    }
}

bool run_tell_lack(struct supervisor *s, uint32_t service, struct record *line, bool has_reason) {
    struct service_lack lack;
    char text[LACK_TEXT_MAX_BYTES];
    if (s->machine == NULL ||
        !service_find_lack(services_get(&s->services, service), s->machine, &lack)) {
        return false;
    }
    const char *cure = service_lack_text(&lack, s->machine, text);
    run_tell_at(s, line, lack.line);
    if (has_reason) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "; %s", cure);
        cure = text;
    } else {
        record_text(line, "reason", text);
    }
    record_text(line, "hint", cure);
    return true;
}

void run_tell_held_back(struct supervisor *s, const struct pool_action *action) {
    struct record *line =
        run_tell_line(s, LOG_LEVEL_WARNING, "held_back", action->service, SLOT_NONE);
    if (line != NULL) {
        const struct pool_service *service = &s->pool.services[action->service];
        record_text(line, "reason",
                    service->took_nobody ? "its handler ends and takes nobody who waits"
                    : service->breaker.failures_count > 0
                        ? "its handler fails"
                        : "its handler ends quickly, again and again");
        record_number(line, "retry_ms", action->pause_us / 1000);
        run_log_end(&s->log);
    }
}

void run_tell_breaker(struct supervisor *s, const struct pool_action *action) {
    bool is_open = action->pause_us > 0;
    struct record *line =
        run_tell_line(s, is_open ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                      is_open ? "breaker_opened" : "breaker_closed", action->service, SLOT_NONE);
    if (line == NULL) {
        return;
    }
    if (is_open) {
        record_number(line, "failures", s->pool.services[action->service].circuit.failures_count);
        record_number(line, "retry_ms", action->pause_us / 1000);
        record_text(line, "reason",
                    "no handler took a client, several times in a row; clients are refused until "
                    "one is tried again");
    }
    run_log_end(&s->log);
}

/* It ran, said no HELLO, and was content: most likely it knows nothing of Baton, and a key was
 * forgotten. One that fails before its HELLO has another trouble, which it tells itself. */
static bool is_foreign(const struct supervisor *s, const struct pool_action *action) {
    const struct connection *c = &s->pool.connections[action->connection];
    bool was_content = c->has_exit && !c->exit_by_signal && c->exit_code == 0;
    bool was_silent = action->outcome == OUTCOME_HANDSHAKE_TIMEOUT ||
                      (action->outcome == OUTCOME_LAUNCH_FAILED && was_content);
    return was_silent && c->greeted_us == 0 &&
           services_get(&s->services, action->service)->has_channel;
}

void run_tell_attempt_failed(struct supervisor *s, const struct pool_action *action) {
    const struct connection *c = &s->pool.connections[action->connection];
    struct record *line =
        run_tell_line(s, LOG_LEVEL_WARNING, "attempt_failed", action->service, action->process);
    if (line != NULL) {
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
