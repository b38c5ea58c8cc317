#include "ctl/buffer.h"

#include "core/base/text.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256u

static bool make_room(struct ctl_buffer *buffer, size_t length) {
    size_t needed = buffer->length + length + 1;
    if (needed <= buffer->capacity) {
        return true;
    }
    size_t capacity = buffer->capacity < FIRST_BYTES ? FIRST_BYTES : 2 * buffer->capacity;
    capacity = capacity < needed ? needed : capacity;
    char *text = realloc(buffer->text, capacity);
    if (text == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->text = text;
    buffer->capacity = capacity;
    return true;
}

void ctl_put_bytes(struct ctl_buffer *buffer, const char *bytes, size_t length) {
    if (make_room(buffer, length)) {
        memcpy(buffer->text + buffer->length, bytes, length);
        buffer->length += length;
        buffer->text[buffer->length] = '\0';
    }
}

void ctl_put(struct ctl_buffer *buffer, const char *text) {
    ctl_put_bytes(buffer, text, strlen(text));
}

void ctl_put_number(struct ctl_buffer *buffer, uint64_t number) {
    char digits[24];
    ctl_put_bytes(buffer, digits, (size_t)(text_put_number(digits, number, 10) - digits));
}

void ctl_put_duration(struct ctl_buffer *buffer, uint64_t duration_ms) {
    static const struct {
        uint32_t unit_s;
        char name[3];
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    uint64_t seconds = duration_ms / 1000;
    if (duration_ms < 1000) {
        ctl_put_number(buffer, duration_ms);
        ctl_put(buffer, "ms");
        return;
    }
    if (duration_ms < 10000) {
        ctl_put_number(buffer, seconds);
        ctl_put(buffer, ".");
        ctl_put_number(buffer, duration_ms % 1000 / 100);
        ctl_put(buffer, "s");
        return;
    }
    size_t at = 0;
    while (seconds < units[at].unit_s) {
        at++;
    }
    ctl_put_number(buffer, seconds / units[at].unit_s);
    ctl_put(buffer, units[at].name);
    uint64_t rest = seconds % units[at].unit_s;
    if (at + 1 < sizeof units / sizeof *units && rest >= units[at + 1].unit_s) {
        ctl_put(buffer, " ");
        ctl_put_number(buffer, rest / units[at + 1].unit_s);
        ctl_put(buffer, units[at + 1].name);
    }
}

/* The number of a character that is whole UTF-8. */
static uint32_t code_of(const char *bytes, size_t length) {
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | ((uint8_t)bytes[i] & 0x3fu);
    }
    return code;
}

/* Controls, and what Unicode has to turn the direction of a text, or to begin a line. */
static bool is_dangerous(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

static void put_hex(struct ctl_buffer *buffer, bool is_short, unsigned number) {
    char text[16];
    if (is_short) {
        text_format(text, sizeof text, "\\x%02x", number);
    } else {
        text_format(text, sizeof text, "\\u%04x", number);
    }
    ctl_put(buffer, text);
}

static void put_safe(struct ctl_buffer *buffer, const char *bytes, size_t length, bool is_json) {
    size_t plain = 0; /* so many bytes before `at` are to be put as they are */
    size_t at = 0;
    while (at < length) {
        size_t size = text_utf8_length(bytes + at, length - at);
        uint32_t code = size == 0 ? (uint8_t)bytes[at] : code_of(bytes + at, size);
        if (size != 0 && !is_dangerous(code)) {
            at += size;
            plain += size;
            continue;
        }
        ctl_put_bytes(buffer, bytes + at - plain, plain);
        put_hex(buffer, !is_json && code < 0x100, code);
        at += size == 0 ? 1 : size;
        plain = 0;
    }
    ctl_put_bytes(buffer, bytes + at - plain, plain);
}

void ctl_put_safe(struct ctl_buffer *buffer, const char *bytes, size_t length) {
    put_safe(buffer, bytes, length, false);
}

void ctl_put_safe_json(struct ctl_buffer *buffer, const char *line, size_t length) {
    for (size_t at = 0; at < length;) {
        /* Blanks between JSON's words: within its texts there are none of these as they are. */
        size_t end = at;
        while (end < length && line[end] != '\t' && line[end] != '\r') {
            end++;
        }
        put_safe(buffer, line + at, end - at, true);
        ctl_put(buffer, end < length ? " " : "");
        at = end + 1;
    }
}

void ctl_put_value(struct ctl_buffer *buffer, const struct ctl_value *value) {
    if (value->kind == CTL_TEXT) {
        ctl_put_safe(buffer, value->text, value->length);
    } else if (value->kind == CTL_NUMBER) {
        ctl_put_number(buffer, value->number);
    } else if (value->kind == CTL_FLAG) {
        ctl_put(buffer, value->flag ? "yes" : "no");
    }
}

size_t ctl_text_width(const char *text) {
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((uint8_t)*text & 0xc0) != 0x80;
    }
    return width;
}

void ctl_buffer_reset(struct ctl_buffer *buffer) {
    buffer->length = 0;
    if (buffer->text != NULL) {
        buffer->text[0] = '\0';
    }
}

void ctl_buffer_clear(struct ctl_buffer *buffer) {
    free(buffer->text);
    *buffer = (struct ctl_buffer){0};
}
