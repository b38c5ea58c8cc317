#include "core/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Kept free for closing quotes, the brace and the line feed. */
#define CLOSING_BYTES 8

/* All or nothing, so that no escape is cut in two. */
static bool put(struct record *record, const char *bytes, size_t length) {
    if (record->full || record->length + length + CLOSING_BYTES > sizeof record->bytes) {
        record->full = true;
        return false;
    }
    memcpy(record->bytes + record->length, bytes, length);
    record->length += length;
    return true;
}

static void put_text(struct record *record, const char *text) {
    put(record, text, strlen(text));
}

/* Goes into the room that put() keeps free. */
static void put_closing(struct record *record, const char *text) {
    size_t length = strlen(text);
    if (record->length + length <= sizeof record->bytes) {
        memcpy(record->bytes + record->length, text, length);
        record->length += length;
    }
}

/* Length of the UTF-8 sequence at `s` (RFC 3629), 0 if it is none. */
static size_t utf8_length(const unsigned char *s, size_t length) {
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if (s[0] < forms[f].first_low || s[0] > forms[f].first_high) {
            continue;
        }
        if (length < forms[f].length) {
            return 0;
        }
        for (size_t i = 1; i < forms[f].length; i++) {
            unsigned char low = i == 1 ? forms[f].second_low : 0x80;
            unsigned char high = i == 1 ? forms[f].second_high : 0xbf;
            if (s[i] < low || s[i] > high) {
                return 0;
            }
        }
        return forms[f].length;
    }
    return 0;
}

static bool is_plain(const char *value, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
            return false;
        }
    }
    return length > 0;
}

static void put_control(struct record *record, unsigned char c) {
    char escape[8];
    switch (c) {
    case '\n':
        put(record, "\\n", 2);
        break;
    case '\r':
        put(record, "\\r", 2);
        break;
    case '\t':
        put(record, "\\t", 2);
        break;
    default:
        if (record->format == LOG_FORMAT_JSON) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
        } else {
            snprintf(escape, sizeof escape, "\\x%02x", c);
        }
        put_text(record, escape);
    }
}

static void put_escaped(struct record *record, const char *value, size_t length) {
    for (size_t i = 0; i < length && !record->full;) {
        unsigned char c = (unsigned char)value[i];
        size_t sequence = utf8_length((const unsigned char *)value + i, length - i);
        if (sequence == 0 && record->format == LOG_FORMAT_JSON) {
            put(record, "\xef\xbf\xbd", 3);
        } else if (sequence == 0 || c < ' ' || c == 0x7f) {
            put_control(record, c);
        } else if (c == '"' || c == '\\') {
            put(record, (const char[]){'\\', (char)c}, 2);
        } else {
            put(record, value + i, sequence);
        }
        i += sequence == 0 ? 1 : sequence;
    }
}

static void put_quoted(struct record *record, const char *value, size_t length) {
    if (put(record, "\"", 1)) {
        put_escaped(record, value, length);
        put_closing(record, "\"");
    }
}

/* False when the key did not fit, and so its value must not be written either. */
static bool put_key(struct record *record, const char *key) {
    char text[64];
    bool json = record->format == LOG_FORMAT_JSON;
    bool first = record->length == 0;
    int length = json ? snprintf(text, sizeof text, "%s\"%s\":", first ? "{" : ",", key)
                      : snprintf(text, sizeof text, "%s%s=", first ? "" : " ", key);
    return put(record, text, (size_t)length);
}

void record_bytes(struct record *record, const char *key, const char *value, size_t length) {
    if (!put_key(record, key)) {
        return;
    }
    if (record->format == LOG_FORMAT_JSON || !is_plain(value, length)) {
        put_quoted(record, value, length);
    } else {
        put(record, value, length);
    }
}

void record_text(struct record *record, const char *key, const char *value) {
    record_bytes(record, key, value, strlen(value));
}

void record_number(struct record *record, const char *key, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    if (put_key(record, key)) {
        put_text(record, text);
    }
}

void record_address(struct record *record, const char *key, const struct address *address) {
    char text[ADDRESS_TEXT_SIZE];
    record_text(record, key, address_print(address, text, sizeof text));
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, by counting from 0000-03-01 in eras
 * of 400 years (146,097 days), so that the leap day is the last of its year. */
static void date_of_day(int64_t day, int *year, int *month, int *day_of_month) {
    int64_t shifted = day + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day_of_month = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2 ? 1 : 0));
}

static void put_time(struct record *record, int64_t wall_us) {
    int64_t ms = wall_us / 1000;
    int64_t day = ms / 86400000;
    int64_t of_day = ms % 86400000;
    int year, month, day_of_month;
    char text[64];
    if (of_day < 0) {
        of_day += 86400000;
        day--;
    }
    date_of_day(day, &year, &month, &day_of_month);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day_of_month,
             (int)(of_day / 3600000), (int)(of_day / 60000 % 60), (int)(of_day / 1000 % 60),
             (int)(of_day % 1000));
    record_text(record, "time", text);
}

const char *record_level_text(enum log_level level) {
    static const char *const texts[] = {"error", "warning", "info", "debug"};
    return texts[level];
}

void record_begin(struct record *record, enum log_format format, int64_t wall_us,
                  enum log_level level, const char *event) {
    record->format = format;
    record->length = 0;
    record->full = false;
    put_time(record, wall_us);
    record_text(record, "level", record_level_text(level));
    record_text(record, "event", event);
}

void record_end(struct record *record) {
    put_closing(record, record->format == LOG_FORMAT_JSON ? "}\n" : "\n");
}

static uint64_t span_us(uint64_t from_us, uint64_t to_us) {
    return to_us > from_us ? to_us - from_us : 0;
}

/* Spans of steps that the connection did not reach are left out. */
static void put_spans(struct record *record, const struct connection *c) {
    if (c->launched_us != 0) {
        record_number(record, "wait_us", span_us(c->accepted_us, c->launched_us));
        record_number(record, "launch_us", span_us(c->launched_us, c->greeted_us));
    }
    if (c->acked_us != 0) {
        record_number(record, "handoff_us", span_us(c->offered_us, c->acked_us));
    }
    record_number(record, "duration_ms", span_us(c->accepted_us, c->ended_us) / 1000);
}

void record_connection(struct record *record, enum log_format format, const struct connection *c,
                       const char *name, const char *text, size_t text_bytes) {
    int64_t end_wall_us = c->accepted_wall_us + (int64_t)span_us(c->accepted_us, c->ended_us);
    record_begin(record, format, end_wall_us, LOG_LEVEL_INFO, "connection");
    record_text(record, "service", name);
    record_number(record, "id", c->id);
    record_address(record, "peer", &c->peer);
    record_address(record, "local", &c->local);
    record_text(record, "outcome", outcome_text(c->outcome));
    if (c->pid != 0) {
        record_number(record, "pid", c->pid);
    }
    if (c->has_status) {
        record_number(record, "status", c->status);
    }
    if (c->has_exit) {
        record_number(record, c->exit_by_signal ? "signal" : "exit", c->exit_code);
    }
    record_number(record, "attempts", c->attempts_used + (c->acked_us != 0 ? 1u : 0u));
    if (c->has_bytes_in) {
        record_number(record, "bytes_in", c->bytes_in);
    }
    if (c->has_bytes_out) {
        record_number(record, "bytes_out", c->bytes_out);
    }
    put_spans(record, c);
    if (text_bytes > 0) {
        record_bytes(record, "text", text, text_bytes);
    }
    record_end(record);
}
