#include "run/output.h"

#include "run/internal.h"

#include <string.h>

#define PIECE_BYTES 4096
#define PIECES_AT_A_TIME 16

static void emit(struct supervisor *s, struct run_output_line *line) {
    struct record *record = run_log_begin(&s->log, LOG_LEVEL_INFO, "output");
    size_t length = line->length;
    if (length > 0 && line->bytes[length - 1] == '\r') {
        length--;
    }
    if (record != NULL) {
        record_text(record, "service", s->table->services[line->service].name);
        record_number(record, "pid", line->pid);
        record_bytes(record, "text", line->bytes, length);
        run_log_end(&s->log);
    }
    line->length = 0;
}

static struct run_output_line *find_line(struct supervisor *s, uint32_t service, uint32_t pid) {
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT; i++) {
        struct run_output_line *line = &s->output.lines[i];
        if (line->pid == pid && line->service == service) {
            return line;
        }
    }
    return NULL;
}

static void release(struct supervisor *s, struct run_output_line *line) {
    if (line != NULL) {
        if (line->length > 0) {
            emit(s, line);
        }
        line->pid = 0;
    }
}

/* The writer's place; a new one, if need be at the cost of the line that grew longest ago. */
static struct run_output_line *take_line(struct supervisor *s, uint32_t service, uint32_t pid) {
    struct run_output_line *line = find_line(s, service, pid);
    if (line != NULL) {
        return line;
    }
    line = &s->output.lines[0];
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT && line->pid != 0; i++) {
        struct run_output_line *other = &s->output.lines[i];
        if (other->pid == 0 || other->used_us < line->used_us) {
            line = other;
        }
    }
    release(s, line);
    line->service = service;
    line->pid = pid;
    line->length = 0;
    return line;
}

static void take_piece(struct supervisor *s, uint32_t service, uint32_t pid, const char *bytes,
                       size_t length) {
    struct run_output_line *line = take_line(s, service, pid);
    line->used_us = s->now_us;
    while (length > 0) {
        const char *feed = memchr(bytes, '\n', length);
        size_t part = feed != NULL ? (size_t)(feed - bytes) : length;
        size_t room = sizeof line->bytes - line->length;
        size_t taken = part < room ? part : room;
        memcpy(line->bytes + line->length, bytes, taken);
        line->length += taken;
        if (taken == part && feed != NULL) {
            emit(s, line);
            taken++;
        } else if (line->length == sizeof line->bytes) {
            emit(s, line);
        }
        bytes += taken;
        length -= taken;
    }
    if (line->length == 0) {
        line->pid = 0;
    }
}

/* True if there may be more. */
static bool read_piece(struct supervisor *s, uint32_t service) {
    char bytes[PIECE_BYTES];
    size_t length = 0;
    uint32_t pid = 0;
    struct baton_cause cause = {0};
    int result = platform_output_read(s->services[service].output, bytes, sizeof bytes, &length,
                                      &pid, &cause);
    if (result == BATON_OK) {
        take_piece(s, service, pid, bytes, length);
    } else if (result == BATON_END) {
        release(s, find_line(s, service, pid));
    }
    return result == BATON_OK || result == BATON_END;
}

void output_on_readable(struct supervisor *s, uint32_t service) {
    for (int i = 0; i < PIECES_AT_A_TIME && !run_log_is_congested(&s->log); i++) {
        if (!read_piece(s, service)) {
            return;
        }
    }
}

void output_finish(struct supervisor *s, uint32_t service, uint32_t pid) {
    /* Bounded, because others may be writing all the time. */
    for (int i = 0; i < PIECES_AT_A_TIME && read_piece(s, service); i++) {
    }
    release(s, find_line(s, service, pid));
}
