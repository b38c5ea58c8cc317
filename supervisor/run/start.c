#include "core/service/lack.h"
#include "run/internal.h"

/* As for a listener that cannot be opened. */
#define START_RETRY_FIRST_MS 1000u
#define START_RETRY_LAST_MS 60000u

/* What is missing is looked for before anybody is let in whom nobody could serve. */
static bool is_ready(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    struct service_lack lack;
    r->cause = (struct baton_cause){0};
    r->result = r->rules->lacks && service_find_lack(r->rules, s->machine, &lack)
                    ? BATON_NOT_FOUND
                    : run_launch_prepare(s, service, NULL, &r->cause);
    r->is_ready = r->result == BATON_OK;
    return r->is_ready;
}

/* `retry_ms` 0: there will be no other try. */
static void log_failed(struct supervisor *s, uint32_t service, uint32_t retry_ms) {
    const struct run_service *r = &s->launching.services[service];
    struct record *line = run_tell_line(s, LOG_LEVEL_ERROR, "service_failed", service);
    if (line == NULL) {
        return;
    }
    if (r->result != BATON_NOT_FOUND || !run_tell_lack(s, service, line)) {
        run_tell_at(s, line, r->rules, r->rules->handler_line);
        record_text(line, "reason", run_tell_words(s, r->result, &r->cause));
    }
    if (retry_ms != 0) {
        record_number(line, "retry_ms", retry_ms);
    }
    run_log_end(&s->log);
}

void run_start_retry(struct supervisor *s, uint32_t service) {
    struct shortage *starting = &s->launching.services[service].starting;
    log_failed(s, service, shortage_hit(starting, &s->timers));
}

/* Where it cannot be opened its lines stand in the supervisor's. */
static void join_log(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    struct baton_cause cause = {0};
    int result = BATON_OK;
    if (r->rules->log == NULL || r->sink != NULL) {
        return;
    }
    r->sink =
        run_log_join(&s->log, r->rules->log, r->rules->max_connections_count, &result, &cause);
    if (r->sink == NULL) {
        run_tell(s, LOG_LEVEL_ERROR, "log_failed", service, "log=%s reason=%s hint=%s",
                 r->rules->log, run_tell_words(s, result, &cause),
                 "its lines stand here until it can be opened, which a reopening of the log tries");
    }
}

void run_start_leave_log(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    run_log_leave(r->sink, r->sink == NULL ? 0 : r->rules->max_connections_count);
    r->sink = NULL;
}

void run_start_reopen_logs(struct supervisor *s) {
    SLOTS_EACH(service, &s->services.slots) {
        join_log(s, service);
    }
}

static void begin(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    r->rules = services_get(&s->services, service);
    join_log(s, service);
    r->starting = shortage_make(START_RETRY_FIRST_MS, START_RETRY_LAST_MS,
                                token_make(RUN_TOKEN_START, 0, service));
    r->workers.token = token_make(RUN_TOKEN_WORKERS, 0, service);
}

void run_start_prepare(struct supervisor *s, uint32_t service) {
    begin(s, service);
    (void)is_ready(s, service);
}

int run_start_restore(struct supervisor *s, uint32_t service, const uint32_t *slots) {
    struct run_service *r = &s->launching.services[service];
    begin(s, service);
    if (slots == NULL) {
        return BATON_OK; /* it was not ready, and is tried again */
    }
    r->result = run_launch_prepare(s, service, slots, &r->cause);
    r->is_ready = r->result == BATON_OK;
    return r->result;
}

/* What nobody has asked for, and the system does not allow. */
static void tell_skipped(struct supervisor *s) {
    const char *skipped = platform_skipped_default(s->platform);
    if (skipped != NULL) {
        run_tell(s, LOG_LEVEL_WARNING, "default_skipped", SLOT_NONE, "key=%s reason=%s", skipped,
                 "the system refuses it, so handlers keep what batond has");
    }
}

void run_start_tell(struct supervisor *s, bool retry) {
    tell_skipped(s);
    SLOTS_EACH(service, &s->services.slots) {
        if (s->launching.services[service].is_ready) {
            continue;
        }
        if (retry) {
            run_start_retry(s, service);
        } else {
            log_failed(s, service, 0);
        }
    }
}

void run_start_workers(struct supervisor *s) {
    SLOTS_EACH(service, &s->services.slots) {
        const struct run_service *r = &s->launching.services[service];
        if (r->is_ready && r->rules->workers_count > 0) {
            run_pause_update_service(s, service);
        }
    }
}

void run_start_again(struct supervisor *s, uint32_t service) {
    if (s->stopping) {
        return;
    }
    if (is_ready(s, service)) {
        run_listen_open_service(s, service);
        run_pause_update_service(s, service);
    } else {
        run_start_retry(s, service);
    }
}
