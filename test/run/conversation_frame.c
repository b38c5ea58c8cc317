/* FRAME of a conversation as bytes. Not by the codec of the product: what is wrong comes from here.
 */
#include "conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 16, NONCE_BYTES = 16, PROTOCOL_INFO_BYTES = 628 };

struct frame {
    uint8_t bytes[CONVERSATION_FRAME_BYTES];
    size_t length;
    const struct conversation_step *step;
    size_t words_at; /* NAME=VALUE from here on */
};

static const struct {
    const char *name;
    uint8_t type;
} types[] = {{"HELLO", 0x01}, {"ACK", 0x02},    {"NACK", 0x03},  {"DONE", 0x04},   {"RETIRE", 0x05},
             {"OFFER", 0x11}, {"CANCEL", 0x12}, {"DRAIN", 0x13}, {"LIMITS", 0x81}, {"FRAME", 0x00}};

enum { HELLO = 1, NACK = 2, DONE = 4, OFFER = 8, LIMITS = 16 };

static const struct {
    const char *name;
    uint16_t tag;
    uint8_t size_bytes;    /* of a number; 0 = text */
    uint8_t usual;         /* messages that have it without a word about it */
    const char *otherwise; /* what it says there */
} tags[] = {{"pid", 0x0002, 4, HELLO, NULL},        {"capacity", 0x0003, 4, HELLO | LIMITS, "1"},
            {"reason", 0x0005, 1, NACK, "1"},       {"status", 0x0006, 1, DONE, "0"},
            {"bytes_in", 0x8007, 8, 0, NULL},       {"bytes_out", 0x8008, 8, 0, NULL},
            {"text", 0x8009, 0, 0, NULL},           {"service", 0x000a, 0, OFFER, "drill"},
            {"kind", 0x000b, 1, OFFER, "1"},        {"accepted_us", 0x000e, 8, OFFER, "1"},
            {"id", 0x000f, 8, OFFER, "1"},          {"handshake_ms", 0x0016, 4, LIMITS, "5000"},
            {"stop_ms", 0x0017, 4, LIMITS, "5000"}, {"reuse", 0x0018, 4, LIMITS, "0"}};

uint8_t conversation_type(const char *name) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return types[i].type;
        }
    }
    fail_msg("no message is called %s", name);
    return 0;
}

uint32_t conversation_label(const struct conversation_step *step, size_t first) {
    const char *word = step->word_count > first + 1 ? step->words[first + 1] : "";
    return *word >= '0' && *word <= '9' ? (uint32_t)strtoul(word, NULL, 10) : 0;
}

/* The value of NAME=VALUE, NULL if that is not there. */
static const char *value_of(const struct frame *frame, const char *name) {
    size_t length = strlen(name);
    for (size_t i = frame->words_at; i < frame->step->word_count; i++) {
        const char *word = frame->step->words[i];
        if (strncmp(word, name, length) == 0 && word[length] == '=') {
            return word + length + 1;
        }
    }
    return NULL;
}

static uint32_t number_of(const struct frame *frame, const char *name, uint32_t otherwise) {
    const char *value = value_of(frame, name);
    return value == NULL ? otherwise : (uint32_t)strtoul(value, NULL, 0);
}

static void put(struct frame *frame, uint64_t number, size_t size_bytes) {
    assert_true(frame->length + size_bytes <= sizeof frame->bytes);
    for (size_t i = size_bytes; i > 0; i--) {
        frame->bytes[frame->length++] = (uint8_t)(number >> (8 * (i - 1)));
    }
}

static void put_bytes(struct frame *frame, const void *bytes, size_t length) {
    assert_true(frame->length + length <= sizeof frame->bytes);
    if (length == 0) {
        return;
    }
    memcpy(frame->bytes + frame->length, bytes, length);
    frame->length += length;
}

static void put_hex(struct frame *frame, const char *hex) {
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        const char pair[] = {hex[0], hex[1], '\0'};
        put(frame, strtoul(pair, NULL, 16), 1);
    }
}

static bool is_left_out(const struct frame *frame, const char *name) {
    const char *without = value_of(frame, "no");
    return without != NULL && strcmp(without, name) == 0;
}

static void put_field(struct frame *frame, uint16_t tag, const void *bytes, size_t length) {
    put(frame, tag, 2);
    put(frame, length, 2);
    put_bytes(frame, bytes, length);
}

static void put_nonce(struct frame *frame, const uint8_t *nonce) {
    uint8_t bytes[NONCE_BYTES];
    memcpy(bytes, nonce, sizeof bytes);
    bytes[7] ^= value_of(frame, "nonce") != NULL ? 1 : 0; /* nonce=wrong */
    put_field(frame, 0x0001, bytes, sizeof bytes);
}

static uint8_t flag_of(const char *type) {
    static const char *const names[] = {"HELLO", "NACK", "DONE", "OFFER", "LIMITS"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], type) == 0) {
            return (uint8_t)(1u << i);
        }
    }
    return 0;
}

/* Each field that is named, and those that are there without a word about them. */
static void put_fields(struct frame *frame, const char *type, uint32_t own_pid) {
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        const char *name = tags[i].name, *value = value_of(frame, name);
        if (value == NULL && (tags[i].usual & flag_of(type)) != 0 && !is_left_out(frame, name)) {
            value = tags[i].otherwise;
        } else if (value == NULL) {
            continue;
        }
        char text[256];
        if (tags[i].size_bytes == 0) {
            put_field(frame, tags[i].tag, text,
                      value == NULL ? 0 : conversation_text(value, text, sizeof text));
            continue;
        }
        put(frame, tags[i].tag, 2);
        put(frame, tags[i].size_bytes, 2);
        put(frame, value == NULL ? own_pid : strtoull(value, NULL, 0), tags[i].size_bytes);
    }
}

static void put_header(struct frame *frame, const char *type, uint32_t number) {
    const char *magic = value_of(frame, "magic");
    size_t end = frame->length;
    frame->length = 0;
    put_hex(frame, magic != NULL ? magic : "4241544e");
    put(frame, number_of(frame, "version", 1), 1);
    put(frame, number_of(frame, "type", conversation_type(type)), 1);
    put(frame, number_of(frame, "flags", 0), 2);
    put(frame, number_of(frame, "number", number), 4);
    put(frame, number_of(frame, "length", (uint32_t)(end - HEADER_BYTES)), 4);
    frame->length = end;
}

size_t conversation_frame(const struct conversation_step *step, size_t first,
                          const struct conversation_speaker *speaker,
                          uint8_t out[CONVERSATION_FRAME_BYTES]) {
    const char *type = step->words[first], *more;
    bool has_label = conversation_label(step, first) != 0;
    struct frame frame = {
        .length = HEADER_BYTES, .step = step, .words_at = first + (has_label ? 2 : 1)};
    if (strcmp(type, "HELLO") == 0) {
        put_nonce(&frame, speaker->nonce);
    }
    put_fields(&frame, type, speaker->pid);
    if (speaker->protocol_info != NULL) {
        put_field(&frame, 0x0010, speaker->protocol_info, PROTOCOL_INFO_BYTES);
    }
    more = value_of(&frame, "more");
    put_hex(&frame, more != NULL ? more : "");
    put_header(&frame, type, has_label ? speaker->number : 0);
    memcpy(out, frame.bytes, frame.length);
    return number_of(&frame, "cut", (uint32_t)frame.length);
}
