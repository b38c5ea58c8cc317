#include "run/sink.h"

#include "core/base/must.h"
#include "core/base/table.h"
#include "core/base/text.h"
#include "run/log.h"

#include <stdlib.h>
#include <string.h>

/* How often it is said beside a sink that it cannot be written. */
#define WARN_US 60000000u

/* Where the event of a line is found, behind its head. */
#define EVENT_BYTES 96u
#define TEXT_TIME_BYTES 8u /* for people */

static void choose_form(struct run_sink *sink, const struct run_sink_spec *spec) {
    enum platform_terminal terminal =
        spec->path == NULL ? platform_terminal() : PLATFORM_TERMINAL_NONE;
    bool is_journal = spec->path == NULL && platform_error_is_journal();
    sink->is_coloured = terminal == PLATFORM_TERMINAL_COLOURED;
    sink->facility = spec->facility;
    sink->mode = spec->mode;
    sink->head = spec->facility != 0 ? RECORD_HEAD_SYSLOG
                 : is_journal        ? RECORD_HEAD_PRIORITY
                                     : RECORD_HEAD_NONE;
    sink->format = spec->format;
    if (sink->format == LOG_FORMAT_AUTO) {
        sink->format = terminal != PLATFORM_TERMINAL_NONE ? LOG_FORMAT_TEXT : LOG_FORMAT_LOGFMT;
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

static int open_log(struct run_sink *sink, const char *path, uint32_t facility, uint32_t mode,
                    struct baton_cause *cause) {
    const struct platform_log_sink target = {
        .path = path, .is_syslog = facility != 0, .mode = mode};
    return platform_log_open(sink->platform, &sink->log, &target, cause);
}

int run_sink_open(struct run_sink *sink, struct platform *platform,
                  const struct run_sink_spec *spec, size_t connection_count,
                  struct baton_cause *cause) {
    sink->platform = platform;
    sink->at_line_start = true;
    if (!run_sink_reserve(sink, connection_count) ||
        copy_path(spec->path, &sink->path) != BATON_OK) {
        return BATON_NO_MEMORY;
    }
    choose_form(sink, spec);
    return open_log(sink, spec->path, spec->facility, spec->mode, cause);
}

void run_sink_clear(struct run_sink *sink) {
    platform_log_close(&sink->log);
    free(sink->buffer);
    free(sink->path);
    sink->buffer = NULL;
    sink->path = NULL;
    sink->size_bytes = sink->used_bytes = 0;
}

bool run_sink_reserve(struct run_sink *sink, size_t connection_count) {
    size_t size_bytes = RUN_SINK_LINES_BYTES + connection_count * RECORD_CONNECTION_MAX_BYTES;
    if (size_bytes <= sink->size_bytes) {
        return true;
    }
    char *buffer = table_create(size_bytes, 1);
    if (buffer == NULL) {
        return false;
    }
    if (sink->used_bytes > 0) {
        memcpy(buffer, sink->buffer, sink->used_bytes);
    }
    free(sink->buffer);
    sink->buffer = buffer;
    sink->size_bytes = size_bytes;
    return true;
}

int run_sink_change(struct run_sink *sink, const struct run_sink_spec *spec, struct run_log *log,
                    struct baton_cause *cause) {
    bool is_elsewhere =
        (spec->facility != 0) != (sink->facility != 0) ||
        (spec->path == NULL || sink->path == NULL ? spec->path != sink->path
                                                  : strcmp(spec->path, sink->path) != 0);
    int result = BATON_OK;
    run_sink_flush(sink, log); /* what is old goes where it went, if that takes it */
    if (is_elsewhere) {
        char *path = NULL;
        result = copy_path(spec->path, &path);
        if (result == BATON_OK) {
            result = open_log(sink, spec->path, spec->facility, spec->mode, cause);
        }
        char *unused = result == BATON_OK ? sink->path : path;
        sink->path = result == BATON_OK ? path : sink->path;
        free(unused);
    }
    if (result == BATON_OK) {
        choose_form(sink, spec);
    }
    return result;
}

int run_sink_reopen(struct run_sink *sink, struct run_log *log, struct baton_cause *cause) {
    if (sink->path == NULL) {
        return BATON_UNSUPPORTED;
    }
    run_sink_flush(sink, log);
    return open_log(sink, sink->path, sink->facility, sink->mode, cause);
}

void run_sink_prepare(const struct run_sink *sink, struct record *line) {
    int64_t wall_us = platform_wall_us(sink->platform);
    line->is_coloured = sink->is_coloured;
    line->head = sink->head;
    if (sink->format == LOG_FORMAT_TEXT) {
        line->local_minute = platform_local_minute(wall_us);
    }
    if (sink->head == RECORD_HEAD_SYSLOG) {
        line->facility = sink->facility;
        line->pid = platform_own_pid();
        line->local_us = platform_local_us(wall_us);
    }
}

/* True if the line at `bytes` is the record of a connection: never one of the lines that can be
 * spared. The event stands in its first bytes behind the head, for people a second blank behind the
 * time, maybe with a colour between (core/tell/record.h). */
static bool is_record(const struct run_sink *sink, const char *bytes, size_t length) {
    static const char marks[][24] = {"event=connection ", "event=activation ",
                                     "\"event\":\"connection\"", "\"event\":\"activation\""};
    size_t head_bytes = record_head_bytes(bytes, length);
    bytes += head_bytes;
    length -= head_bytes;
    if (sink->format == LOG_FORMAT_TEXT) {
        const char *behind = bytes + TEXT_TIME_BYTES;
        return length > TEXT_TIME_BYTES + 1 && behind[0] == ' ' &&
               (behind[1] == ' ' || behind[1] == '\x1b');
    }
    size_t looked_at = length < EVENT_BYTES ? length : EVENT_BYTES;
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
static void walk_lines(struct run_sink *sink, size_t start, size_t end) {
    bool record = sink->head_is_record;
    size_t at = 0;
    if (sink->at_line_start) {
        record = is_record(sink, sink->buffer, sink->used_bytes);
    }
    while (at < end) {
        const char *feed = memchr(sink->buffer + at, '\n', end - at);
        if (feed == NULL) {
            break;
        }
        at = (size_t)(feed - sink->buffer) + 1;
        if (at > start) {
            sink->lost_count++;
            sink->lost_records_count += record ? 1 : 0;
        }
        record = is_record(sink, sink->buffer + at, sink->used_bytes - at);
    }
    sink->at_line_start = at == end;
    sink->head_is_record = record;
}

/* Told beside the log, if that is elsewhere: nobody looks into a log that does not grow. */
static void warn(struct run_sink *sink, const char *text) {
    char line[512];
    if (sink->path != NULL) {
        text_format(line, sizeof line, "batond: warning: %s: %s\n", sink->path, text);
        platform_log_warn(line);
    }
}

static void note_loss(struct run_sink *sink, size_t taken, const struct baton_cause *cause) {
    struct platform_log_loss loss;
    platform_log_take_loss(sink->log, &loss);
    walk_lines(sink, taken - loss.bytes, taken);
    if (loss.bytes == 0) {
        sink->lost_count += loss.lines_count;
    }
    bool fails = cause->call != NULL;
    if (fails) {
        char words[256];
        platform_error_text(cause->system_code, words, sizeof words);
        text_format(sink->reason, sizeof sink->reason, "%s: %s", cause->call, words);
    }
    uint64_t now_us = platform_now_us(sink->platform);
    bool may_warn = sink->warned_us == 0 || now_us - sink->warned_us >= WARN_US;
    if (fails && !sink->is_failing && may_warn) {
        sink->warned_us = now_us;
        sink->has_news = true;
        char text[384];
        text_format(text, sizeof text, "%s; what is lost until it can be written is counted",
                    sink->reason);
        warn(sink, text);
    }
    sink->is_failing = fails;
}

static void drain(struct run_sink *sink) {
    struct baton_cause cause = {0};
    if (sink->used_bytes == 0) {
        return;
    }
    size_t taken = platform_log_write(sink->log, sink->buffer, sink->used_bytes, &cause);
    note_loss(sink, taken, &cause);
    sink->used_bytes -= taken;
    memmove(sink->buffer, sink->buffer + taken, sink->used_bytes);
}

static void append(struct run_sink *sink, const struct record *line) {
    memcpy(sink->buffer + sink->used_bytes, line->bytes, line->length);
    sink->used_bytes += line->length;
}

static bool has_room(struct run_sink *sink, const struct record *line, size_t size_bytes) {
    if (sink->used_bytes + line->length > size_bytes) {
        drain(sink);
    }
    return sink->used_bytes + line->length <= size_bytes;
}

void run_sink_add(struct run_sink *sink, const struct record *line) {
    if (has_room(sink, line, RUN_SINK_LINES_BYTES)) {
        append(sink, line);
    } else {
        sink->dropped_count++;
    }
}

/* There is room for a record of each connection that can be live when lines have taken theirs. */
void run_sink_keep(struct run_sink *sink, const struct record *line) {
    bool fits = has_room(sink, line, sink->size_bytes);
    must(fits);
    append(sink, line);
}

bool run_sink_restore(struct run_sink *sink, const char *bytes, size_t length) {
    size_t size_bytes = sink->size_bytes + length;
    char *buffer = length == 0 ? sink->buffer : table_create(size_bytes, 1);
    if (buffer == NULL) {
        return false;
    }
    if (length > 0) {
        memcpy(buffer, bytes, length);
        memcpy(buffer + length, sink->buffer, sink->used_bytes);
        free(sink->buffer);
        sink->buffer = buffer;
        sink->size_bytes = size_bytes;
        sink->used_bytes += length;
    }
    return true;
}

/* Says what is missing, when it can be written again. Goes out before anything else, so that it is
 * not counted among what it tells of if it is lost as well. */
static void tell_dropped(struct run_sink *sink, struct run_log *log) {
    size_t count = sink->dropped_count + sink->lost_count;
    struct record *line = &log->line;
    if (count == 0 || sink->used_bytes > 0 || sink->is_failing || log->level < LOG_LEVEL_WARNING) {
        return;
    }
    run_sink_prepare(sink, line);
    record_begin(line, sink->format, platform_wall_us(sink->platform), LOG_LEVEL_WARNING,
                 "lines_dropped");
    record_number(line, "count", count);
    record_number(line, "records", sink->lost_records_count);
    record_text(line, "reason",
                sink->lost_count > 0 ? sink->reason : "the log was not read for so long");
    record_end(line);
    if (line->copy != NULL) {
        log->follow(log->follow_context);
    }
    struct run_sink before = {.dropped_count = sink->dropped_count,
                              .lost_count = sink->lost_count,
                              .lost_records_count = sink->lost_records_count};
    sink->dropped_count = sink->lost_count = sink->lost_records_count = 0;
    append(sink, line);
    drain(sink);
    if (sink->is_failing) {
        sink->dropped_count = before.dropped_count;
        sink->lost_count = before.lost_count;
        sink->lost_records_count = before.lost_records_count;
    }
}

void run_sink_flush(struct run_sink *sink, struct run_log *log) {
    drain(sink);
    tell_dropped(sink, log);
}

bool run_sink_is_congested(const struct run_sink *sink) {
    return sink->used_bytes > RUN_SINK_LINES_BYTES / 2;
}

bool run_sink_settle(struct run_sink *sink, struct run_log *log, uint64_t deadline_us) {
    drain(sink);
    while (sink->used_bytes > 0 && platform_now_us(sink->platform) < deadline_us) {
        platform_log_wait(sink->log, deadline_us);
        drain(sink);
    }
    tell_dropped(sink, log);
    return sink->used_bytes == 0;
}

/* What is in the buffer still is lost, and nothing else will ever tell how much that is. */
static size_t count_lost(struct run_sink *sink, uint64_t deadline_us) {
    walk_lines(sink, 0, sink->used_bytes);
    sink->lost_count += platform_log_flush(sink->log, deadline_us);
    /* Where another thread writes, what it lost is known only now. */
    struct platform_log_loss loss;
    platform_log_take_loss(sink->log, &loss);
    sink->lost_count += loss.lines_count;
    size_t count = sink->dropped_count + sink->lost_count;
    if (count > 0) {
        char text[192];
        text_format(text, sizeof text,
                    sink->untold_count == 0
                        ? "%lu lines could not be written, %lu records among them"
                        : "%lu lines could not be written, %lu records among them, "
                          "and the number of %lu more refused clients",
                    (unsigned long)count, (unsigned long)sink->lost_records_count,
                    (unsigned long)sink->untold_count);
        warn(sink, text);
    }
    return count;
}

size_t run_sink_close(struct run_sink *sink, uint64_t deadline_us) {
    size_t lost_count = sink->log == NULL ? 0 : count_lost(sink, deadline_us);
    run_sink_clear(sink);
    return lost_count;
}
