#include "run/log.h"

#include "core/base/table.h"

#include <stdlib.h>
#include <string.h>

/* Blocks that the buffer is counted in, so that the room for common lines is resident at once. */
#define BLOCK_BYTES 256

int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, size_t connection_count,
                 struct baton_cause *cause) {
    log->format = options->log_format;
    log->level = options->log_level;
    log->used_bytes = 0;
    log->size_bytes = RUN_LOG_LINES_BYTES + connection_count * RUN_LOG_RECORD_BYTES;
    log->buffer = table_create(log->size_bytes / BLOCK_BYTES, BLOCK_BYTES);
    if (log->buffer == NULL) {
        return BATON_NO_MEMORY;
    }
    if (options->log != NULL) {
        size_t path_bytes = strlen(options->log) + 1;
        log->path = malloc(path_bytes);
        if (log->path == NULL) {
            return BATON_NO_MEMORY;
        }
        memcpy(log->path, options->log, path_bytes);
    }
    int result = platform_log_open(platform, options->log, cause);
    /* Without a sink there is nothing to close. */
    log->platform = result == BATON_OK ? platform : NULL;
    return result;
}

struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event) {
    if (level > log->level) {
        return NULL;
    }
    record_begin(&log->line, log->format, platform_wall_us(log->platform), level, event);
    return &log->line;
}

static void drain(struct run_log *log) {
    /* A log that cannot be written has nowhere to complain to. */
    struct baton_cause cause = {0};
    if (log->used_bytes == 0) {
        return;
    }
    size_t taken = platform_log_write(log->platform, log->buffer, log->used_bytes, &cause);
    log->used_bytes -= taken;
    memmove(log->buffer, log->buffer + taken, log->used_bytes);
}

static void append(struct run_log *log) {
    memcpy(log->buffer + log->used_bytes, log->line.bytes, log->line.length);
    log->used_bytes += log->line.length;
}

static bool has_room(struct run_log *log, size_t size_bytes) {
    if (log->used_bytes + log->line.length > size_bytes) {
        drain(log);
    }
    return log->used_bytes + log->line.length <= size_bytes;
}

void run_log_end(struct run_log *log) {
    record_end(&log->line);
    if (has_room(log, RUN_LOG_LINES_BYTES)) {
        append(log);
    } else {
        log->dropped_count++;
    }
}

void run_log_keep(struct run_log *log) {
    if (!has_room(log, log->size_bytes)) {
        /* Not even with room for every live connection: lines as long as these must wait. */
        platform_log_write_all(log->platform, log->buffer, log->used_bytes, PLATFORM_WAIT_FOREVER);
        log->used_bytes = 0;
    }
    append(log);
}

static void tell_dropped(struct run_log *log) {
    size_t count = log->dropped_count;
    if (count == 0 || run_log_is_congested(log)) {
        return;
    }
    log->dropped_count = 0;
    if (run_log_begin(log, LOG_LEVEL_WARNING, "lines_dropped") != NULL) {
        record_number(&log->line, "count", count);
        run_log_end(log);
    }
}

void run_log_flush(struct run_log *log) {
    drain(log);
    tell_dropped(log);
}

bool run_log_is_congested(const struct run_log *log) {
    return log->used_bytes > RUN_LOG_LINES_BYTES / 2;
}

int run_log_reopen(struct run_log *log, struct baton_cause *cause) {
    if (log->path == NULL) {
        return BATON_UNSUPPORTED;
    }
    run_log_flush(log);
    return platform_log_open(log->platform, log->path, cause);
}

void run_log_settle(struct run_log *log, uint64_t deadline_us) {
    platform_log_write_all(log->platform, log->buffer, log->used_bytes, deadline_us);
    log->used_bytes = 0;
}

void run_log_close(struct run_log *log, uint64_t deadline_us) {
    if (log->platform != NULL) {
        run_log_settle(log, deadline_us);
        tell_dropped(log);
        run_log_settle(log, deadline_us);
        platform_log_flush(log->platform, deadline_us);
    }
    free(log->buffer);
    free(log->path);
    log->buffer = NULL;
    log->path = NULL;
    log->size_bytes = 0;
}
