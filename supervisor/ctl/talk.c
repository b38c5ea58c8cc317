#include "ctl/talk.h"

#include "core/base/text.h"
#include "ctl/lines.h"

#include <string.h>

struct reading {
    const struct ctl_talk *talk;
    struct ctl_lines lines;
    size_t line_count;
    size_t byte_count;
    char *why;
    size_t why_bytes;
};

static enum ctl_result unreadable(struct reading *reading, const char *what) {
    text_format(reading->why, reading->why_bytes, "line %lu of the answer: %s",
                (unsigned long)reading->line_count + 1, what);
    return CTL_UNREADABLE;
}

/* Takes all whole lines that are there. False when the reply is over, one way or another. */
static bool take_lines(struct reading *reading, enum ctl_result *result) {
    const char *line;
    size_t length;
    while ((line = ctl_lines_next(&reading->lines, &length)) != NULL) {
        struct ctl_reply *reply = NULL;
        struct ctl_fault fault;
        int code = ctl_reply_read(line, length, &reply, &fault);
        if (code != BATON_OK) {
            *result = code == BATON_NO_MEMORY ? CTL_NO_MEMORY : unreadable(reading, fault.text);
            return false;
        }
        bool is_end = ctl_reply_is(reply, "end");
        struct ctl_value is_good = ctl_reply_value(reply, "ok");
        if (is_end && is_good.kind != CTL_FLAG) {
            *result = unreadable(reading, "the end does not say whether it is good");
        } else {
            *result = is_good.flag ? CTL_DONE : CTL_REFUSED;
            reading->talk->line(reading->talk->context, line, length, reply);
        }
        reading->line_count++;
        ctl_reply_clear(&reply);
        if (is_end) {
            return false;
        }
    }
    return true;
}

/* What it means that nothing more comes. */
static enum ctl_result cut_off(struct reading *reading) {
    if (reading->line_count > 0 || ctl_lines_rest(&reading->lines) > 0) {
        text_format(
            reading->why, reading->why_bytes,
            "the answer was cut off behind %lu lines: batond has ended, or this was too slow "
            "for it",
            (unsigned long)reading->line_count);
    } else {
        text_format(
            reading->why, reading->why_bytes,
            "closed without an answer: batond lets in root and the user that it runs as, and "
            "32 clients at a time; its log says more");
    }
    return CTL_UNREADABLE;
}

static enum ctl_result read_all(struct ctl_wire *wire, struct reading *reading,
                                struct baton_cause *cause) {
    enum ctl_result result = CTL_UNREADABLE;
    for (;;) {
        size_t room_bytes = 0;
        size_t got = 0;
        char *room = ctl_lines_room(&reading->lines, &room_bytes);
        if (room_bytes == 0) {
            return unreadable(reading, "it is longer than 8,192 bytes");
        }
        int code = ctl_wire_read(wire, room, room_bytes, reading->talk->deadline_ms, &got, cause);
        if (code == BATON_END) {
            return cut_off(reading);
        }
        if (code != BATON_OK) {
            return code == BATON_AGAIN ? CTL_LATE : CTL_SYSTEM;
        }
        ctl_lines_add(&reading->lines, got);
        reading->byte_count += reading->talk->is_bounded ? got : 0;
        if (reading->byte_count > CTL_REPLY_MAX_BYTES) {
            return unreadable(reading, "the answer has more than 64 MiB");
        }
        if (!take_lines(reading, &result)) {
            return result;
        }
        /* Whoever sends without a pause gets no further than one who does not. */
        if (ctl_now_ms() >= reading->talk->deadline_ms) {
            return CTL_LATE;
        }
    }
}

enum ctl_result ctl_talk_run(struct ctl_wire *wire, const struct ctl_talk *talk, char *why,
                             size_t why_bytes, struct baton_cause *cause) {
    struct reading reading = {.talk = talk, .why = why, .why_bytes = why_bytes};
    why[0] = '\0';
    *cause = (struct baton_cause){NULL, 0};
    int code = ctl_wire_send(wire, talk->request, strlen(talk->request), talk->deadline_ms, cause);
    /* One who has no place for us says so, and closes without having read. */
    if (code != BATON_OK && code != BATON_GONE) {
        return code == BATON_AGAIN ? CTL_LATE : CTL_SYSTEM;
    }
    return read_all(wire, &reading, cause);
}
