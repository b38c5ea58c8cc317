#include "run/output.h"

#include "run/internal.h"

#include <string.h>

#define PIECE_BYTES 4096
#define PIECES_AT_A_TIME 16
/* More than the system keeps for one reader, so that what was written before an exit is among it.
 */
#define PIECES_TO_THE_END 512

static void emit(struct supervisor *s, struct run_output_line *line, bool whole) {
    struct record *record = NULL;
    if (whole && line->length > 0 && line->bytes[line->length - 1] == '\r') {
        line->length--;
    }
    /* A line that ends just where it was cut has nothing more to say. */
    if (line->length > 0 || !line->continued) {
        record = run_log_begin(&s->log, LOG_LEVEL_INFO, "output");
    }
    if (record != NULL) {
        record_text(record, "service", s->table->services[line->service].name);
        record_number(record, "pid", line->pid);
        record_bytes(record, "text", line->bytes, line->length);
        run_log_end(&s->log);
    }
    line->length = 0;
    line->continued = !whole;
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
            emit(s, line, true);
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
    line->ended = line->continued = false;
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
            emit(s, line, true);
            taken++;
        } else if (line->length == sizeof line->bytes) {
            emit(s, line, false);
        }
        bytes += taken;
        length -= taken;
    }
    if (line->length == 0 && !line->continued && !line->ended) {
        line->pid = 0;
    }
}

static int read_piece(struct supervisor *s, uint32_t service) {
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
    return result;
}

static bool has_ended_line(const struct supervisor *s, uint32_t service) {
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT; i++) {
        const struct run_output_line *line = &s->output.lines[i];
        if (line->pid != 0 && line->service == service && line->ended) {
            return true;
        }
    }
    return false;
}

/* Nothing is left to read: nothing more can come to the lines of those who are gone. */
static void release_lines(struct supervisor *s, uint32_t service, bool all) {
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT; i++) {
        struct run_output_line *line = &s->output.lines[i];
        if (line->pid != 0 && line->service == service && (all || line->ended)) {
            release(s, line);
        }
    }
}

/* False if there may be more, or the log takes no more for now. */
static bool read_pieces(struct supervisor *s, uint32_t service, int most_count) {
    for (int i = 0; i < most_count && !run_log_is_congested(&s->log); i++) {
        int result = read_piece(s, service);
        if (result != BATON_OK && result != BATON_END) {
            return true;
        }
    }
    return false;
}

void output_on_readable(struct supervisor *s, uint32_t service) {
    bool all = has_ended_line(s, service);
    if (read_pieces(s, service, all ? PIECES_TO_THE_END : PIECES_AT_A_TIME)) {
        release_lines(s, service, false);
    }
}

void output_finish(struct supervisor *s, uint32_t service, uint32_t pid) {
    if (read_pieces(s, service, PIECES_TO_THE_END)) {
        release_lines(s, service, false);
        release(s, find_line(s, service, pid));
    } else {
        take_line(s, service, pid)->ended = true;
    }
}

void output_finish_all(struct supervisor *s) {
    for (uint32_t service = 0; service < s->table->service_count; service++) {
        int result = BATON_OK;
        for (int i = 0; i < PIECES_TO_THE_END && (result == BATON_OK || result == BATON_END); i++) {
            result = read_piece(s, service);
        }
        release_lines(s, service, true);
    }
}
