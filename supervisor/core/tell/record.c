#include "core/tell/record.h"

#include "core/base/text.h"

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

static bool is_plain(const char *value, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
            return false;
        }
    }
    return length > 0;
}

/* One of is_control(), or a byte that is no UTF-8. */
static void put_control(struct record *record, const char *bytes, size_t length) {
    unsigned char c = (unsigned char)bytes[length - 1];
    char escape[9];
    const char *name = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    if (name != NULL) {
        put_text(record, name);
    } else if (record->format == LOG_FORMAT_JSON) {
        unsigned above = length == 3   ? 0x2000u + ((unsigned char)bytes[1] - 0x80u) * 64u - 0x80u
                         : length == 2 ? ((unsigned char)bytes[0] - 0xc2u) * 64u
                                       : 0;
        text_format(escape, sizeof escape, "\\u%04x", above + c);
        put_text(record, escape);
    } else {
        for (size_t i = 0; i < length; i++) {
            text_format(escape, sizeof escape, "\\x%02x", (unsigned char)bytes[i]);
            put_text(record, escape);
        }
    }
}

/* What a terminal obeys: C0, DEL, C1; and what it or an editor turns the line round or breaks it
 * by: U+061C, U+200E and U+200F, U+2028 to U+202E, U+2066 to U+2069. */
static bool is_control(const char *bytes) {
    unsigned char first = (unsigned char)bytes[0];
    if (first < 0xc2) {
        return first < ' ' || first == 0x7f;
    }
    unsigned char second = (unsigned char)bytes[1];
    if (first == 0xc2) {
        return second < 0xa0;
    }
    if (first == 0xd8) {
        return second == 0x9c;
    }
    unsigned char third = first == 0xe2 ? (unsigned char)bytes[2] : 0;
    return (second == 0x80 && ((third & 0xfe) == 0x8e || (third >= 0xa8 && third <= 0xae))) ||
           (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

static void put_escaped(struct record *record, const char *value, size_t length, bool quoted) {
    for (size_t i = 0; i < length && !record->full;) {
        size_t sequence = text_utf8_length(value + i, length - i);
        if (sequence == 0 && record->format == LOG_FORMAT_JSON) {
            put(record, "\xef\xbf\xbd", 3);
        } else if (sequence == 0) {
            put_control(record, value + i, 1);
        } else if (is_control(value + i)) {
            put_control(record, value + i, sequence);
        } else if (quoted && (value[i] == '"' || value[i] == '\\')) {
            put(record, (const char[]){'\\', value[i]}, 2);
        } else {
            put(record, value + i, sequence);
        }
        i += sequence == 0 ? 1 : sequence;
    }
}

static void put_quoted(struct record *record, const char *value, size_t length) {
    if (put(record, "\"", 1)) {
        put_escaped(record, value, length, true);
        put_closing(record, "\"");
    }
}

/* As much as fits. */
static void put_plain(struct record *record, const char *value, size_t length) {
    size_t room = sizeof record->bytes - CLOSING_BYTES - record->length;
    put(record, value, length < room ? length : room);
    record->full = record->full || length > room;
}

static void put_key(struct record *record, const char *key) {
    bool json = record->format == LOG_FORMAT_JSON;
    bool first = record->length == record->start;
    put_text(record, json ? (first ? "{\"" : ",\"") : first ? "" : " ");
    put(record, key, strcspn(key, "="));
    put_text(record, json ? "\":" : "=");
}

/* A key without a value would spoil the line: it goes when nothing of the value fits. */
static void drop_bare_key(struct record *record, size_t start, size_t value) {
    if (record->length == value) {
        record->length = start;
    }
}

/* ---- For people ---- */

/* What stands before a value, by its key. */
static const char marks[] = "service\0 \0"
                            "peer\0 \0"
                            "outcome\0 \0"
                            "address\0 \0"
                            "duration_ms\0 in \0"
                            "reason\0: \0"
                            "text\0: \0"
                            "hint\0; \0";

/* Said before the event. */
static const char first_keys[] = " service peer ";
/* Left out; the last ones if that is their value, which is as it should be. */
static const char idle_keys[] = " id local pid wait_us launch_us handoff_us "
                                "cpu_us memory_peak_kib ";
static const char idle_values[] = " status=0 exit=0 attempts=1 attempts=0 ";

/* `list` has a blank before and behind each word. */
static bool is_among(const char *list, const char *key, size_t key_length, const char *equals,
                     const char *value, size_t length) {
    char sought[32];
    int written = text_format(sought, sizeof sought, " %.*s%s%.*s ", (int)key_length, key, equals,
                              (int)length, value);
    return written < (int)sizeof sought && strstr(list, sought) != NULL;
}

static const char *mark_of(const char *key, size_t key_length) {
    const char *at = marks;
    while (*at != '\0') {
        bool is_it = strlen(at) == key_length && memcmp(at, key, key_length) == 0;
        at += strlen(at) + 1;
        if (is_it) {
            return at;
        }
        at += strlen(at) + 1;
    }
    return NULL;
}

static void put_event(struct record *record) {
    const char *event = record->event;
    record->event = NULL;
    if (event != NULL && strcmp(event, "connection") != 0) {
        put_text(record, " ");
        for (; *event != '\0'; event++) {
            put(record, *event == '_' ? " " : event, 1);
        }
    }
}

/* A blank, or what may look like one: Unicode has many. */
static bool has_blank(const char *value, size_t length) {
    bool found = false;
    for (size_t i = 0; i < length; i++) {
        found = found || value[i] == ' ' || (unsigned char)value[i] >= 0x80;
    }
    return found;
}

/* What a handler says of a connection is a sentence, as reasons and hints of ours are, unless it
 * looks like a field. */
static bool could_fake_fields(const char *key, bool has_mark, const char *value, size_t length) {
    if (has_mark) {
        return strcmp(key, "text") == 0 && memchr(value, '=', length) != NULL &&
               has_blank(value, length);
    }
    return has_blank(value, length) || memchr(value, '"', length) != NULL;
}

static void put_for_people(struct record *record, const char *key, const char *value,
                           size_t length) {
    size_t key_length = strcspn(key, "=");
    const char *mark = mark_of(key, key_length);
    bool is_time = key_length > 3 && memcmp(key + key_length - 3, "_ms", 3) == 0;
    if (is_among(idle_keys, key, key_length, "", "", 0) ||
        is_among(idle_values, key, key_length, "=", value, length)) {
        return;
    }
    if (!is_among(first_keys, key, key_length, "", "", 0)) {
        put_event(record);
    }
    size_t start = record->length;
    if (mark != NULL) {
        put_text(record, mark);
    } else {
        put_text(record, " ");
        put(record, key, key_length - (is_time ? 3 : 0));
        put_text(record, "=");
    }
    size_t behind_key = record->length;
    if (could_fake_fields(key, mark != NULL, value, length)) {
        put_quoted(record, value, length);
    } else {
        put_escaped(record, value, length, false);
    }
    drop_bare_key(record, start, behind_key);
    put_text(record, is_time ? " ms" : "");
}

static void begin_for_people(struct record *record, int64_t wall_us, enum log_level level,
                             const char *event) {
    static const char colours[][6] = {"\x1b[31m", "\x1b[33m", "", "\x1b[2m"}; /* by level */
    char text[16];
    bool is_record = strcmp(event, "connection") == 0 || strcmp(event, "activation") == 0;
    unsigned second = (unsigned)((wall_us / 1000000 % 60 + 60) % 60);
    text_format(text, sizeof text, "%02u:%02u:%02u", record->local_minute / 60,
                record->local_minute % 60, second);
    put_text(record, text);
    put_text(record, is_record ? " " : "");
    record->event = event;
    record->colour = record->is_coloured ? colours[level] : "";
    put_text(record, record->colour);
    if (level <= LOG_LEVEL_WARNING) {
        put_text(record, " ");
        put_text(record, record_level_text(level));
    }
}

/* ---- */

void record_bytes(struct record *record, const char *key, const char *value, size_t length) {
    if (record->copy != NULL) {
        record_bytes(record->copy, key, value, length);
    }
    if (record->format == LOG_FORMAT_TEXT) {
        put_for_people(record, key, value, length);
        return;
    }
    size_t start = record->length;
    put_key(record, key);
    size_t behind_key = record->length;
    if (record->full) {
        record->length = start;
    } else if (record->format == LOG_FORMAT_JSON || !is_plain(value, length)) {
        put_quoted(record, value, length);
    } else {
        put_plain(record, value, length);
    }
    drop_bare_key(record, start, behind_key);
}

void record_text(struct record *record, const char *key, const char *value) {
    record_bytes(record, key, value, strlen(value));
}

static void put_bare(struct record *record, const char *key, const char *text, size_t length) {
    size_t start = record->length;
    put_key(record, key);
    put(record, text, length);
    if (record->full) {
        record->length = start; /* half a number would be another number */
    }
}

void record_flag(struct record *record, const char *key, bool value) {
    put_bare(record, key, value ? "true" : "false", value ? 4 : 5);
}

void record_number(struct record *record, const char *key, uint64_t value) {
    char text[24];
    size_t length = (size_t)(text_put_number(text, value, 10) - text);
    if (record->copy != NULL) {
        record_number(record->copy, key, value);
    }
    if (record->format == LOG_FORMAT_TEXT) {
        put_for_people(record, key, text, length);
    } else {
        put_bare(record, key, text, length);
    }
}

void record_address(struct record *record, const char *key, const struct address *address) {
    char text[ADDRESS_TEXT_SIZE] = "uid:";
    if (!address->has_uid) {
        record_text(record, key, address_print(address, text, sizeof text));
        return;
    }
    char *end = text_put_number(text + 4, address->uid, 10);
    if (address->pid != 0) {
        memcpy(end, ",pid:", 5);
        end = text_put_number(end + 5, address->pid, 10);
    }
    record_bytes(record, key, text, (size_t)(end - text));
}

void record_place(struct record *record, const char *key, const struct service_listen *place,
                  const struct address *bound) {
    if (place->path != NULL) {
        record_text(record, key, place->path);
    } else {
        record_address(record, key, bound);
    }
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, by counting from 0000-03-01 in eras
 * of 400 years (146,097 days), so that the leap day is the last of its year. */
static void date_of_day(int day, int *year, int *month, int *day_of_month) {
    int shifted = day + 719468;
    int era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int of_era = shifted - era * 146097;
    int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * y + y / 4 - y / 100);
    int m = (5 * of_year + 2) / 153;
    *day_of_month = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2 ? 1 : 0);
}

static void put_time(struct record *record, int64_t wall_us) {
    int64_t ms = wall_us / 1000 - (wall_us % 1000 < 0 ? 1 : 0);
    int day = (int)(ms / 86400000);
    int of_day = (int)(ms % 86400000);
    int year, month, day_of_month;
    char text[64];
    if (of_day < 0) {
        of_day += 86400000;
        day--;
    }
    date_of_day(day, &year, &month, &day_of_month);
    text_format(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day_of_month,
                of_day / 3600000, of_day / 60000 % 60, of_day / 1000 % 60, of_day % 1000);
    record_text(record, "time", text);
}

const char *record_level_text(enum log_level level) {
    return text_nth("error\0warning\0info\0debug\0", level);
}

static void empty(struct record *record, enum log_format format) {
    record->format = format;
    record->length = record->start = 0;
    record->full = false;
}

void record_open(struct record *record) {
    empty(record, LOG_FORMAT_JSON);
}

static void put_log_head(struct record *record, enum log_level level) {
    static const uint8_t severities[] = {3, 4, 6, 7};
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[64];
    if (record->head == RECORD_HEAD_NONE) {
        return;
    }
    uint32_t facility = record->head == RECORD_HEAD_SYSLOG ? record->facility : 0;
    text_format(text, sizeof text, "<%u>", (unsigned)(facility * 8 + severities[level]));
    put_text(record, text);
    if (record->head == RECORD_HEAD_SYSLOG) {
        int year, month, day, second = (int)(record->local_us / 1000000 % 86400);
        date_of_day((int)(record->local_us / 86400000000), &year, &month, &day);
        text_format(text, sizeof text,
                    "%.3s %s%d %02d:%02d:%02d batond[%u]: ", months + 3 * (month - 1),
                    day < 10 ? " " : "", day, second / 3600, second / 60 % 60, second % 60,
                    (unsigned)record->pid);
        put_text(record, text);
    }
}

size_t record_head_bytes(const char *bytes, size_t length) {
    if (length == 0 || bytes[0] != '<') {
        return 0;
    }
    const char *end = memchr(bytes, '>', length);
    size_t at = end == NULL ? 0 : (size_t)(end - bytes) + 1;
    if (at > 0 && at < length && bytes[at] >= 'A' && bytes[at] <= 'Z') { /* a month */
        end = memchr(bytes + at, ']', length - at);
        at = end == NULL ? at : (size_t)(end - bytes) + sizeof "]:";
    }
    return at < length ? at : length;
}

static void put_head(struct record *record, int64_t wall_us, enum log_level level,
                     const char *event) {
    put_time(record, wall_us);
    record_text(record, "level", record_level_text(level));
    record_text(record, "event", event);
}

void record_begin(struct record *record, enum log_format format, int64_t wall_us,
                  enum log_level level, const char *event) {
    struct record *copy = record->copy;
    record->copy = NULL; /* its head is another one */
    empty(record, format);
    if (copy != NULL) {
        record_open(copy);
        record_number(copy, "v", 1);
        record_text(copy, "type", "event");
        put_head(copy, wall_us, level, event);
    }
    put_log_head(record, level);
    record->start = record->length;
    if (format == LOG_FORMAT_TEXT) {
        begin_for_people(record, wall_us, level, event);
    } else {
        put_head(record, wall_us, level, event);
    }
    record->copy = copy;
}

void record_end(struct record *record) {
    if (record->copy != NULL) {
        record_end(record->copy);
    }
    if (record->format == LOG_FORMAT_TEXT) {
        put_event(record);
        put_closing(record, record->colour[0] != '\0' ? "\x1b[0m" : "");
    }
    put_closing(record, record->format == LOG_FORMAT_JSON ? "}\n" : "\n");
}

static uint64_t span_us(uint64_t from_us, uint64_t to_us) {
    return to_us > from_us ? to_us - from_us : 0;
}

/* Spans of steps that the connection did not reach are left out; so is the launch of a process that
 * was there before, for which it has waited until it was offered. */
static void put_spans(struct record *record, const struct connection *c) {
    bool was_there =
        c->greeted_us != 0 && c->launched_us < c->accepted_us && c->greeted_us <= c->accepted_us;
    if (was_there) {
        record_number(record, "wait_us", span_us(c->accepted_us, c->offered_us));
    } else if (c->launched_us != 0) {
        uint64_t from_us = c->launched_us > c->accepted_us ? c->launched_us : c->accepted_us;
        record_number(record, "wait_us", span_us(c->accepted_us, from_us));
        if (c->greeted_us != 0) { /* an early offer does not wait for HELLO, which may never come */
            record_number(record, "launch_us", span_us(from_us, c->greeted_us));
        }
    }
    if (c->acked_us != 0) {
        record_number(record, "handoff_us", span_us(c->offered_us, c->acked_us));
    }
    record_number(record, "duration_ms", span_us(c->accepted_us, c->ended_us) / 1000);
}

/* An activation has no peer, and one that has several places is at none. */
static void put_addresses(struct record *record, const struct connection *c,
                          const struct service *service) {
    if (!c->is_activation) {
        record_address(record, "peer", &c->peer);
    }
    const struct service_listen *place = &service->listen[c->place];
    if (!c->is_activation || place->path != NULL || c->local.family != ADDRESS_NONE) {
        record_place(record, "local", place, &c->local);
    }
    if (c->via.family != ADDRESS_NONE) {
        record_address(record, "via", &c->via);
    }
}

void record_cost(struct record *record, uint64_t cpu_us, uint32_t memory_peak_kib) {
    if (cpu_us > 0) {
        record_number(record, "cpu_us", cpu_us);
    }
    if (memory_peak_kib > 0) {
        record_number(record, "memory_peak_kib", memory_peak_kib);
    }
}

void record_connection(struct record *record, enum log_format format, const struct connection *c,
                       const struct service *service, const char *text, size_t text_bytes) {
    int64_t end_wall_us = c->accepted_wall_us + (int64_t)span_us(c->accepted_us, c->ended_us);
    record_begin(record, format, end_wall_us,
                 outcome_is_bad(c->outcome) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                 c->is_activation ? "activation" : "connection");
    record_text(record, "service", service->name);
    record_number(record, "id", c->id);
    put_addresses(record, c, service);
    record_text(record, "outcome", outcome_text(c->outcome));
    if (c->by_breach) {
        record_text(record, "reason", "breach");
    }
    if (c->progress == PROGRESS_NONE) {
        record_text(record, "took", "nobody");
    }
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
    record_cost(record, c->cpu_us, c->memory_peak_kib);
    put_spans(record, c);
    if (text_bytes > 0) {
        record_bytes(record, "text", text, text_bytes);
    }
    record_end(record);
}
