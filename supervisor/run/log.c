#include "run/log.h"

#include <stdlib.h>
#include <string.h>

static struct run_sink_spec describe(const struct supervisor_options *options) {
    return (struct run_sink_spec){.path = options->log,
                                  .facility =
                                      options->log_is_syslog ? service_syslog_code(options) : 0,
                                  .mode = options->has_log_mode ? options->log_mode : 0,
                                  .format = options->log_format};
}

void run_log_expect(struct run_log *log, const struct supervisor_options *options) {
    log->spec = describe(options);
    log->spec.facility = 0;
}

int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, size_t connection_count,
                 struct baton_cause *cause) {
    const struct run_sink_spec spec = describe(options);
    log->level = options->log_level;
    log->current = &log->own;
    run_log_expect(log, options);
    return run_sink_open(&log->own, platform, &spec, connection_count, cause);
}

bool run_log_reserve(struct run_log *log, size_t connection_count) {
    return run_sink_reserve(&log->own, connection_count);
}

int run_log_change(struct run_log *log, const struct supervisor_options *options,
                   struct baton_cause *cause) {
    const struct run_sink_spec spec = describe(options);
    struct baton_cause none;
    log->level = options->log_level;
    run_log_expect(log, options);
    for (struct run_sink *sink = log->services; sink != NULL; sink = sink->next) {
        log->spec.path = sink->path; /* where it is it stays */
        (void)run_sink_change(sink, &log->spec, log, &none);
    }
    return run_sink_change(&log->own, &spec, log, cause);
}

int run_log_reopen(struct run_log *log, struct baton_cause *cause) {
    return run_sink_reopen(&log->own, log, cause);
}

/* ---- Services' own ---- */

struct run_sink *run_log_join(struct run_log *log, const char *path, size_t connection_count,
                              int *result, struct baton_cause *cause) {
    struct run_sink *sink = log->services;
    while (sink != NULL && strcmp(sink->path, path) != 0) {
        sink = sink->next;
    }
    bool is_new = sink == NULL;
    *result = BATON_NO_MEMORY;
    if (is_new && (sink = calloc(1, sizeof *sink)) == NULL) {
        return NULL;
    }
    log->spec.path = path;
    if (is_new) {
        *result = run_sink_open(sink, log->own.platform, &log->spec, connection_count, cause);
    } else if (run_sink_reserve(sink, sink->connections_count + connection_count)) {
        *result = BATON_OK;
    }
    if (*result != BATON_OK) {
        if (is_new) {
            run_sink_clear(sink);
            free(sink);
        }
        return NULL;
    }
    if (is_new) {
        sink->next = log->services;
        log->services = sink;
    }
    sink->users_count++;
    sink->connections_count += connection_count;
    return sink;
}

void run_log_leave(struct run_sink *sink, size_t connection_count) {
    if (sink != NULL) {
        sink->users_count--;
        sink->connections_count -= connection_count;
    }
}

/* Nobody has it, and nothing is left to be written or told. */
static bool is_over(struct run_sink *sink) {
    return sink->users_count == 0 && sink->used_bytes == 0 &&
           sink->dropped_count + sink->lost_count == 0 && platform_log_flush(sink->log, 0) == 0;
}

/* Nobody looks into a log that does not grow. */
static void tell_news(struct run_log *log, struct run_sink *sink) {
    sink->has_news = false;
    struct record *line = run_log_begin(log, LOG_LEVEL_ERROR, "log_failed");
    if (line != NULL) {
        record_text(line, "log", sink->path);
        record_text(line, "reason", sink->reason);
        record_text(line, "hint", "what is lost until it can be written is counted");
        run_log_end(log);
    }
}

static void flush_services(struct run_log *log) {
    for (struct run_sink **link = &log->services; *link != NULL;) {
        struct run_sink *sink = *link;
        run_sink_flush(sink, log);
        if (sink->has_news) {
            tell_news(log, sink);
        }
        if (is_over(sink)) {
            *link = sink->next;
            run_sink_clear(sink);
            free(sink);
        } else {
            link = &sink->next;
        }
    }
}

/* ---- Lines ---- */

const struct run_sink *run_log_prepare(struct run_log *log, struct run_sink *sink) {
    log->current = sink != NULL ? sink : &log->own;
    run_sink_prepare(log->current, &log->line);
    return log->current;
}

struct record *run_log_begin_in(struct run_log *log, struct run_sink *sink, enum log_level level,
                                const char *event) {
    bool is_wanted = level <= log->level;
    if (platform_has_event_log(log->own.platform)) {
        is_wanted = run_entries_begin(&log->entries, event, is_wanted);
    }
    if (!is_wanted) {
        return NULL;
    }
    run_log_prepare(log, sink);
    record_begin(&log->line, log->current->format, platform_wall_us(log->own.platform), level,
                 event);
    return &log->line;
}

struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event) {
    return run_log_begin_in(log, NULL, level, event);
}

static void tell_followers(const struct run_log *log) {
    if (log->line.copy != NULL) {
        log->follow(log->follow_context);
    }
}

void run_log_end(struct run_log *log) {
    record_end(&log->line);
    struct platform *platform = log->own.platform;
    if (platform_has_event_log(platform) && !run_entries_end(&log->entries, platform, &log->line)) {
        return;
    }
    tell_followers(log);
    run_sink_add(log->current, &log->line);
}

void run_log_keep(struct run_log *log) {
    tell_followers(log);
    run_sink_keep(log->current, &log->line);
}

/* ---- All of them ---- */

static void tell_lost_entries(struct run_log *log) {
    struct baton_cause cause;
    char words[256];
    size_t lost_count = platform_event_log_take_lost(log->own.platform, &cause);
    struct record *line =
        lost_count > 0 ? run_log_begin(log, LOG_LEVEL_WARNING, "entries_lost") : NULL;
    if (line == NULL) {
        return;
    }
    record_number(line, "count", lost_count);
    if (cause.call != NULL) {
        record_text(line, "call", cause.call);
        record_text(line, "reason", platform_error_text(cause.system_code, words, sizeof words));
    } else {
        record_text(line, "reason", "it has taken none for so long");
    }
    run_log_end(log);
}

void run_log_flush(struct run_log *log) {
    if (platform_has_event_log(log->own.platform)) {
        tell_lost_entries(log);
    }
    flush_services(log);
    run_sink_flush(&log->own, log);
}

bool run_log_is_congested(const struct run_log *log) {
    return run_sink_is_congested(&log->own);
}

void run_log_count(const struct run_log *log, size_t *dropped_count, size_t *lost_count) {
    *dropped_count = log->own.dropped_count;
    *lost_count = log->own.lost_count;
    for (const struct run_sink *sink = log->services; sink != NULL; sink = sink->next) {
        *dropped_count += sink->dropped_count;
        *lost_count += sink->lost_count;
    }
}

bool run_log_settle(struct run_log *log, uint64_t deadline_us) {
    bool is_done = run_sink_settle(&log->own, log, deadline_us);
    for (struct run_sink *sink = log->services; sink != NULL; sink = sink->next) {
        run_sink_settle(sink, log, deadline_us);
    }
    return is_done;
}

size_t run_log_close(struct run_log *log, uint64_t deadline_us) {
    size_t lost_count = 0;
    if (log->own.log != NULL) {
        run_log_settle(log, deadline_us);
    }
    while (log->services != NULL) {
        struct run_sink *sink = log->services;
        log->services = sink->next;
        lost_count += run_sink_close(sink, deadline_us);
        free(sink);
    }
    return lost_count + run_sink_close(&log->own, deadline_us);
}
