#include "run/log.h"

#include <string.h>

int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, struct baton_cause *cause) {
    log->platform = platform;
    log->format = options->log_format;
    log->level = options->log_level;
    log->used_bytes = 0;
    return platform_log_open(platform, options->log, cause);
}

struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event) {
    if (level > log->level) {
        return NULL;
    }
    record_begin(&log->line, log->format, platform_wall_us(log->platform), level, event);
    return &log->line;
}

void run_log_end(struct run_log *log) {
    record_end(&log->line);
    run_log_keep(log);
}

void run_log_keep(struct run_log *log) {
    if (log->line.length > sizeof log->buffer - log->used_bytes) {
        run_log_flush(log);
    }
    if (log->line.length > sizeof log->buffer - log->used_bytes) {
        platform_log_write_all(log->platform, log->buffer, log->used_bytes);
        log->used_bytes = 0;
    }
    memcpy(log->buffer + log->used_bytes, log->line.bytes, log->line.length);
    log->used_bytes += log->line.length;
}

void run_log_flush(struct run_log *log) {
    /* A log that cannot be written has nowhere to complain to. */
    struct baton_cause cause = {0};
    if (log->used_bytes == 0) {
        return;
    }
    size_t taken = platform_log_write(log->platform, log->buffer, log->used_bytes, &cause);
    log->used_bytes -= taken;
    memmove(log->buffer, log->buffer + taken, log->used_bytes);
}

bool run_log_is_congested(const struct run_log *log) {
    return log->used_bytes > sizeof log->buffer / 2;
}

void run_log_close(struct run_log *log) {
    if (log->platform != NULL) {
        platform_log_write_all(log->platform, log->buffer, log->used_bytes);
        log->used_bytes = 0;
        platform_log_flush(log->platform);
    }
}
