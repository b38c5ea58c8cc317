#include "run/log.h"

#include "core/base/must.h"
#include "core/base/table.h"
#include "core/base/text.h"

#include <stdlib.h>
#include <string.h>

/* How often it is said beside the log that it cannot be written. */
#define WARN_US 60000000u

/* Where the event of a line is found. */
#define HEAD_BYTES 96u
#define TEXT_TIME_BYTES 8u /* for people */

static void choose_format(struct run_log *log, const struct supervisor_options *options) {
    enum platform_terminal terminal =
        options->log == NULL ? platform_terminal() : PLATFORM_TERMINAL_NONE;
    log->line.is_coloured = terminal == PLATFORM_TERMINAL_COLOURED;
    log->format = options->log_format;
    if (log->format == LOG_FORMAT_AUTO) {
        log->format = terminal != PLATFORM_TERMINAL_NONE ? LOG_FORMAT_TEXT : LOG_FORMAT_LOGFMT;
    }
}

static int copy_path(const char *path, char **copy) {
    *copy = NULL;
    if (path == NULL) {
        return BATON_OK;
    }
    size_t bytes = strlen(path) + 1;
    *copy = malloc(bytes);
    if (*copy == NULL) {
        return BATON_NO_MEMORY;
    }
    memcpy(*copy, path, bytes);
    return BATON_OK;
}

int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, size_t connection_count,
                 struct baton_cause *cause) {
    log->level = options->log_level;
    log->used_bytes = 0;
    log->at_line_start = true;
    log->size_bytes = RUN_LOG_LINES_BYTES + connection_count * RECORD_CONNECTION_MAX_BYTES;
    log->buffer = table_create(log->size_bytes, 1);
    if (log->buffer == NULL) {
        return BATON_NO_MEMORY;
    }
    int result = copy_path(options->log, &log->path);
    if (result != BATON_OK) {
        return result;
    }
    result = platform_log_open(platform, options->log, cause);
    /* Without a sink there is nothing to close. */
    log->platform = result == BATON_OK ? platform : NULL;
    choose_format(log, options);
    return result;
}

bool run_log_reserve(struct run_log *log, size_t connection_count) {
    size_t size_bytes = RUN_LOG_LINES_BYTES + connection_count * RECORD_CONNECTION_MAX_BYTES;
    if (size_bytes <= log->size_bytes) {
        return true;
    }
    char *buffer = table_create(size_bytes, 1);
    if (buffer == NULL) {
        return false;
    }
    memcpy(buffer, log->buffer, log->used_bytes);
    free(log->buffer);
    log->buffer = buffer;
    log->size_bytes = size_bytes;
    return true;
}

int run_log_change(struct run_log *log, const struct supervisor_options *options,
                   struct baton_cause *cause) {
    bool is_elsewhere = options->log == NULL || log->path == NULL
                            ? options->log != log->path
                            : strcmp(options->log, log->path) != 0;
    int result = BATON_OK;
    log->level = options->log_level;
    if (is_elsewhere) {
        char *path = NULL;
        run_log_flush(log); /* what is old goes where it went, if that takes it */
        result = copy_path(options->log, &path);
        if (result == BATON_OK) {
            result = platform_log_open(log->platform, options->log, cause);
        }
        char *unused = result == BATON_OK ? log->path : path;
        log->path = result == BATON_OK ? path : log->path;
        free(unused);
    }
    if (result == BATON_OK) {
        choose_format(log, options);
    }
    return result;
}

void run_log_note_time(struct run_log *log) {
    if (log->format == LOG_FORMAT_TEXT) {
        log->line.local_minute = platform_local_minute(platform_wall_us(log->platform));
    }
}

struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event) {
    if (level > log->level) {
        return NULL;
    }
    run_log_note_time(log);
    record_begin(&log->line, log->format, platform_wall_us(log->platform), level, event);
    return &log->line;
}

/* True if the line at `bytes` is the record of a connection: never one of the lines that can be
 * spared. The event stands in its first bytes, for people a second blank behind the time, maybe
 * with a colour between (core/tell/record.h). */
static bool is_record(const struct run_log *log, const char *bytes, size_t length) {
    static const char marks[][24] = {"event=connection ", "event=activation ",
                                     "\"event\":\"connection\"", "\"event\":\"activation\""};
    if (log->format == LOG_FORMAT_TEXT) {
        const char *behind = bytes + TEXT_TIME_BYTES;
        return length > TEXT_TIME_BYTES + 1 && behind[0] == ' ' &&
               (behind[1] == ' ' || behind[1] == '\x1b');
    }
    size_t looked_at = length < HEAD_BYTES ? length : HEAD_BYTES;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t mark_bytes = strlen(marks[i]);
        for (size_t at = 0; at + mark_bytes <= looked_at; at++) {
            if (memcmp(bytes + at, marks[i], mark_bytes) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Goes through the lines of the buffer up to `end`: from `start` on they are lost. Afterwards
 * head_is_record tells of the line that `end` is in. */
static void walk_lines(struct run_log *log, size_t start, size_t end) {
    bool record = log->head_is_record;
    size_t at = 0;
    if (log->at_line_start) {
        record = is_record(log, log->buffer, log->used_bytes);
    }
    while (at < end) {
        const char *feed = memchr(log->buffer + at, '\n', end - at);
        if (feed == NULL) {
            break;
        }
        at = (size_t)(feed - log->buffer) + 1;
        if (at > start) {
            log->lost_count++;
            log->lost_records_count += record ? 1 : 0;
        }
        record = is_record(log, log->buffer + at, log->used_bytes - at);
    }
    log->at_line_start = at == end;
    log->head_is_record = record;
}

/* Told beside the log, if that is elsewhere: nobody looks into a log that does not grow. */
static void warn(struct run_log *log, const char *text) {
    char line[512];
    if (log->path != NULL) {
        text_format(line, sizeof line, "batond: warning: %s: %s\n", log->path, text);
        platform_log_warn(line);
    }
}

static void note_loss(struct run_log *log, size_t taken, const struct baton_cause *cause) {
    struct platform_log_loss loss;
    platform_log_take_loss(log->platform, &loss);
    walk_lines(log, taken - loss.bytes, taken);
    if (loss.bytes == 0) {
        log->lost_count += loss.lines_count;
    }
    bool fails = cause->call != NULL;
    if (fails) {
        char words[256];
        platform_error_text(cause->system_code, words, sizeof words);
        text_format(log->reason, sizeof log->reason, "%s: %s", cause->call, words);
    }
    uint64_t now_us = platform_now_us(log->platform);
    bool may_warn = log->warned_us == 0 || now_us - log->warned_us >= WARN_US;
    if (fails && !log->is_failing && may_warn) {
        log->warned_us = now_us;
        char text[384];
        text_format(text, sizeof text, "%s; what is lost until it can be written is counted",
                    log->reason);
        warn(log, text);
    }
    log->is_failing = fails;
}

static void drain(struct run_log *log) {
    struct baton_cause cause = {0};
    if (log->used_bytes == 0) {
        return;
    }
    size_t taken = platform_log_write(log->platform, log->buffer, log->used_bytes, &cause);
    note_loss(log, taken, &cause);
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

static void tell_followers(const struct run_log *log) {
    if (log->line.copy != NULL) {
        log->follow(log->follow_context);
    }
}

void run_log_end(struct run_log *log) {
    record_end(&log->line);
    tell_followers(log);
    if (has_room(log, RUN_LOG_LINES_BYTES)) {
        append(log);
    } else {
        log->dropped_count++;
    }
}

/* There is room for a record of each connection that can be live when lines have taken theirs. */
void run_log_keep(struct run_log *log) {
    tell_followers(log);
    bool fits = has_room(log, log->size_bytes);
    must(fits);
    append(log);
}

/* Says what is missing, when the log can be written again. Goes out before anything else, so that
 * it is not counted among what it tells of if it is lost as well. */
static void tell_dropped(struct run_log *log) {
    size_t count = log->dropped_count + log->lost_count;
    if (count == 0 || log->used_bytes > 0 || log->is_failing) {
        return;
    }
    if (run_log_begin(log, LOG_LEVEL_WARNING, "lines_dropped") == NULL) {
        return;
    }
    record_number(&log->line, "count", count);
    record_number(&log->line, "records", log->lost_records_count);
    record_text(&log->line, "reason",
                log->lost_count > 0 ? log->reason : "the log was not read for so long");
    record_end(&log->line);
    tell_followers(log);
    struct run_log before = {.dropped_count = log->dropped_count,
                             .lost_count = log->lost_count,
                             .lost_records_count = log->lost_records_count};
    log->dropped_count = log->lost_count = log->lost_records_count = 0;
    append(log);
    drain(log);
    if (log->is_failing) {
        log->dropped_count = before.dropped_count;
        log->lost_count = before.lost_count;
        log->lost_records_count = before.lost_records_count;
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

bool run_log_settle(struct run_log *log, uint64_t deadline_us) {
    drain(log);
    while (log->used_bytes > 0 && platform_now_us(log->platform) < deadline_us) {
        platform_log_wait(log->platform, deadline_us);
        drain(log);
    }
    tell_dropped(log);
    return log->used_bytes == 0;
}

/* What is in the buffer still is lost, and nothing else will ever tell how much that is. */
static size_t count_lost(struct run_log *log, uint64_t deadline_us) {
    walk_lines(log, 0, log->used_bytes);
    log->lost_count += platform_log_flush(log->platform, deadline_us);
    /* Where another thread writes, what it lost is known only now. */
    struct platform_log_loss loss;
    platform_log_take_loss(log->platform, &loss);
    log->lost_count += loss.lines_count;
    size_t count = log->dropped_count + log->lost_count;
    if (count > 0) {
        char text[192];
        text_format(text, sizeof text,
                    log->untold_count == 0
                        ? "%lu lines could not be written, %lu records among them"
                        : "%lu lines could not be written, %lu records among them, "
                          "and the number of %lu more refused clients",
                    (unsigned long)count, (unsigned long)log->lost_records_count,
                    (unsigned long)log->untold_count);
        warn(log, text);
    }
    return count;
}

size_t run_log_close(struct run_log *log, uint64_t deadline_us) {
    size_t lost_count = 0;
    if (log->platform != NULL) {
        run_log_settle(log, deadline_us);
        lost_count = count_lost(log, deadline_us);
    }
    free(log->buffer);
    free(log->path);
    log->buffer = NULL;
    log->path = NULL;
    log->platform = NULL;
    log->size_bytes = 0;
    return lost_count;
}
