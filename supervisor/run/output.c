#include "run/output.h"

#include "run/internal.h"

#include <string.h>

#define PIECES_AT_A_TIME 16
/* How often it is told that lines are left out. */
#define SUPPRESSED_TELL_US 1000000u
/* So many seconds' lines may come at once. */
#define OUTPUT_BURST_S 10u
/* More than the system keeps for one reader, so that what was written before an exit is among it.
 */
#define PIECES_TO_THE_END 512

/* False if the service has had its share of the log: then the line is left out, and counted. */
static bool may_emit(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    uint32_t per_s = r->rules->output_lines_per_s;
    const struct rate_limit limit = {per_s, 1, OUTPUT_BURST_S * per_s};
    if (rate_passes(&r->output_rate, &limit, s->timers.now_us)) {
        return true;
    }
    r->output_suppressed_count++;
    if (!timer_is_set(&s->outputs.suppressed)) {
        s->outputs.suppressed.token = token_make(RUN_TOKEN_SUPPRESSED, 0, 0);
        timers_after(&s->timers, &s->outputs.suppressed, SUPPRESSED_TELL_US);
    }
    return false;
}

void run_output_tell_suppressed(struct supervisor *s) {
    SLOTS_EACH(service, &s->services.slots) {
        struct run_service *r = &s->launching.services[service];
        uint64_t count = r->output_suppressed_count;
        r->output_suppressed_count = 0;
        if (count > 0) {
            run_tell(s, LOG_LEVEL_WARNING, "output_suppressed", service, "lines=%llu reason=%s",
                     (unsigned long long)count, "more than output_lines_per_s");
        }
    }
}

static void emit(struct supervisor *s, struct run_output_line *line, bool whole) {
    struct record *record = NULL;
    if (whole && line->length > 0 && line->bytes[line->length - 1] == '\r') {
        line->length--;
    }
    /* A line that ends just where it was cut has nothing more to say. */
    if ((line->length > 0 || !line->continued) && may_emit(s, line->service)) {
        record = run_tell_line(s, LOG_LEVEL_INFO, "output", line->service);
    }
    if (record != NULL) {
        record_number(record, "pid", line->writer.pid);
        if (line->writer.id != 0) {
            record_number(record, "id", line->writer.id);
        }
        record_bytes(record, "text", line->bytes, line->length);
        run_log_end(&s->log);
    }
    line->length = 0;
    line->continued = !whole;
}

static bool is_same(const struct platform_writer *a, const struct platform_writer *b) {
    return a->pid == b->pid && a->id == b->id;
}

static struct run_output_line *find_line(struct supervisor *s, uint32_t service,
                                         const struct platform_writer *writer) {
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT; i++) {
        struct run_output_line *line = &s->outputs.lines[i];
        if (is_same(&line->writer, writer) && line->service == service) {
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
        line->writer.pid = 0;
    }
}

/* The writer's place; a new one, if need be at the cost of the line that grew longest ago. */
static struct run_output_line *take_line(struct supervisor *s, uint32_t service,
                                         const struct platform_writer *writer) {
    struct run_output_line *line = find_line(s, service, writer);
    if (line != NULL) {
        return line;
    }
    line = &s->outputs.lines[0];
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT && line->writer.pid != 0; i++) {
        struct run_output_line *other = &s->outputs.lines[i];
        if (other->writer.pid == 0 || other->used_us < line->used_us) {
            line = other;
        }
    }
    release(s, line);
    line->service = service;
    line->writer = *writer;
    line->length = 0;
    line->ended = line->continued = false;
    return line;
}

/* Cuts the next line, or the part of one that has room, off the piece. */
static void cut_line(struct supervisor *s, struct run_output_piece *piece) {
    struct run_output_line *line = take_line(s, piece->service, &piece->writer);
    const char *bytes = piece->bytes + piece->done;
    size_t length = piece->length - piece->done;
    const char *feed = memchr(bytes, '\n', length);
    size_t part = feed != NULL ? (size_t)(feed - bytes) : length;
    size_t room = sizeof line->bytes - line->length;
    size_t taken = part < room ? part : room;
    memcpy(line->bytes + line->length, bytes, taken);
    line->length += taken;
    line->used_us = s->timers.now_us;
    piece->done += taken;
    if (taken == part && feed != NULL) {
        emit(s, line, true);
        piece->done++;
    } else if (line->length == sizeof line->bytes) {
        emit(s, line, false);
    }
    if (line->length == 0 && !line->continued && !line->ended) {
        line->writer.pid = 0;
    }
}

/* BATON_OK when something was cut or read, BATON_END when a writer has ended, else there is nothing
 * for now. */
static int read_line(struct supervisor *s, uint32_t service) {
    struct run_output_piece *piece = &run_tell_sink(s, service)->output.piece;
    struct baton_cause cause = {0};
    if (piece->done < piece->length) {
        cut_line(s, piece);
        return BATON_OK;
    }
    piece->done = piece->length = 0;
    piece->service = service;
    int result = platform_output_read(s->launching.services[service].output, piece->bytes,
                                      sizeof piece->bytes, &piece->length, &piece->writer, &cause);
    if (result != BATON_OK) {
        piece->length = 0;
    }
    if (result == BATON_END) {
        release(s, find_line(s, service, &piece->writer));
    }
    return result;
}

/* Cuts what was read into lines, and reads at most `most_count` pieces more, but not behind the end
 * of `last` (NULL = of all). True when that or nothing is left to read; false if there may be more,
 * or the log takes no more for now. */
static bool read_pieces(struct supervisor *s, uint32_t service, int most_count,
                        const struct platform_writer *last) {
    struct run_sink *sink = run_tell_sink(s, service);
    const struct run_output_piece *piece = &sink->output.piece;
    while (!run_sink_is_congested(sink)) {
        bool reads = piece->done == piece->length;
        if (reads && most_count-- == 0) {
            return false;
        }
        int result = read_line(s, service);
        bool is_end = result == BATON_END && last != NULL && is_same(&piece->writer, last);
        if (is_end || (result != BATON_OK && result != BATON_END)) {
            return true;
        }
    }
    sink->output.is_behind = true;
    return false;
}

static bool has_ended_line(const struct supervisor *s, uint32_t service) {
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT; i++) {
        const struct run_output_line *line = &s->outputs.lines[i];
        if (line->writer.pid != 0 && line->service == service && line->ended) {
            return true;
        }
    }
    return false;
}

/* Nothing is left to read: nothing more can come to the lines of those who are gone. */
static void release_lines(struct supervisor *s, uint32_t service, bool all) {
    for (size_t i = 0; i < RUN_OUTPUT_LINE_COUNT; i++) {
        struct run_output_line *line = &s->outputs.lines[i];
        if (line->writer.pid != 0 && line->service == service && (all || line->ended)) {
            release(s, line);
        }
    }
}

void run_output_on_readable(struct supervisor *s, uint32_t service) {
    bool all = has_ended_line(s, service);
    if (read_pieces(s, service, all ? PIECES_TO_THE_END : PIECES_AT_A_TIME, NULL)) {
        release_lines(s, service, false);
    }
}

void run_output_finish(struct supervisor *s, uint32_t service,
                       const struct platform_writer *writer) {
    if (read_pieces(s, service, PIECES_TO_THE_END, writer)) {
        release(s, find_line(s, service, writer));
    } else {
        take_line(s, service, writer)->ended = true;
        run_tell_sink(s, service)->output.is_behind = true;
    }
}

static void update_services(struct supervisor *s, const struct run_sink *sink) {
    SLOTS_EACH(service, &s->services.slots) {
        const struct run_service *r = &s->launching.services[service];
        if (r->sink != sink) {
            continue;
        }
        if (r->output != NULL && sink->output.is_paused) {
            platform_output_pause(r->output);
        } else if (r->output != NULL) {
            platform_output_resume(r->output);
        }
        if (r->listeners != NULL) {
            run_pause_update_service(s, service);
        }
    }
}

void run_output_update(struct supervisor *s) {
    for (struct run_sink *sink = s->log.services; sink != NULL; sink = sink->next) {
        if (run_sink_is_congested(sink) != sink->output.is_paused) {
            sink->output.is_paused = !sink->output.is_paused;
            update_services(s, sink);
        }
    }
    struct run_output_held *held = &s->log.own.output;
    if (run_log_is_congested(&s->log) == held->is_paused) {
        return;
    }
    held->is_paused = !held->is_paused;
    if (held->is_paused) {
        platform_outputs_pause(s->platform);
    } else {
        platform_outputs_resume(s->platform);
    }
}

static bool may_go_on(const struct run_sink *sink) {
    return sink->output.is_behind && !run_sink_is_congested(sink);
}

bool run_output_may_go_on(const struct supervisor *s) {
    bool any = may_go_on(&s->log.own);
    for (const struct run_sink *sink = s->log.services; sink != NULL && !any; sink = sink->next) {
        any = may_go_on(sink);
    }
    return any;
}

static void catch_up_with(struct supervisor *s, struct run_sink *sink) {
    const struct run_output_piece *piece = &sink->output.piece;
    if (!may_go_on(sink)) {
        return;
    }
    sink->output.is_behind = false;
    if (piece->done < piece->length) {
        run_output_on_readable(s, piece->service);
    }
    SLOTS_EACH(service, &s->services.slots) {
        if (run_tell_sink(s, service) == sink && has_ended_line(s, service)) {
            run_output_on_readable(s, service);
        }
    }
}

void run_output_catch_up(struct supervisor *s) {
    catch_up_with(s, &s->log.own);
    for (struct run_sink *sink = s->log.services; sink != NULL; sink = sink->next) {
        catch_up_with(s, sink);
    }
}

void run_output_forget(struct supervisor *s, uint32_t service) {
    if (!s->launching.services[service].is_ready) {
        return; /* nothing was ever there to be read */
    }
    struct run_sink *sink = run_tell_sink(s, service);
    while (!read_pieces(s, service, PIECES_TO_THE_END, NULL) && !run_sink_is_congested(sink)) {
    }
    release_lines(s, service, true);
    if (sink->output.piece.service == service) {
        sink->output.piece.done = sink->output.piece.length;
    }
}

void run_output_finish_all(struct supervisor *s, uint64_t deadline_us) {
    SLOTS_EACH(service, &s->services.slots) {
        if (!s->launching.services[service].is_ready) {
            continue;
        }
        struct run_sink *sink = run_tell_sink(s, service);
        bool has_room = true;
        while (has_room && !read_pieces(s, service, PIECES_TO_THE_END, NULL) &&
               run_sink_is_congested(sink)) {
            has_room = run_sink_settle(sink, &s->log, deadline_us);
        }
        release_lines(s, service, true);
    }
    run_output_tell_suppressed(s);
}
