/* FRAME of a conversation as bytes. Not by the codec of the product: what is wrong comes from here.
 */
#include "conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 16, NONCE_BYTES = 16 };

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

static const struct {
    const char *name;
    uint16_t tag;
    uint8_t size_bytes; /* of a number; 0 = text */
} tags[] = {{"pid", 0x0002, 4},    {"capacity", 0x0003, 4}, {"reason", 0x0005, 1},
            {"status", 0x0006, 1}, {"bytes_in", 0x8007, 8}, {"bytes_out", 0x8008, 8},
            {"text", 0x8009, 0}};

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

static void put_nonce(struct frame *frame, const uint8_t *nonce) {
    uint8_t bytes[NONCE_BYTES];
    memcpy(bytes, nonce, sizeof bytes);
    bytes[7] ^= value_of(frame, "nonce") != NULL ? 1 : 0; /* nonce=wrong */
    put(frame, 0x0001, 2);
    put(frame, sizeof bytes, 2);
    put_bytes(frame, bytes, sizeof bytes);
}

/* Each field that is named, and those that are there without a word about them. */
static void put_fields(struct frame *frame, const char *type, uint32_t own_pid) {
    bool is_hello = strcmp(type, "HELLO") == 0;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        const char *name = tags[i].name, *value = value_of(frame, name);
        uint64_t number = value != NULL ? strtoull(value, NULL, 0) : 0;
        bool is_usual = (is_hello && (strcmp(name, "pid") == 0 || strcmp(name, "capacity") == 0)) ||
                        (strcmp(type, "NACK") == 0 && strcmp(name, "reason") == 0) ||
                        (strcmp(type, "DONE") == 0 && strcmp(name, "status") == 0);
        if (value == NULL && (!is_usual || is_left_out(frame, name))) {
            continue;
        }
        if (value == NULL) {
            number = strcmp(name, "pid") == 0 ? own_pid : strcmp(name, "status") == 0 ? 0 : 1;
        }
        put(frame, tags[i].tag, 2);
        put(frame, tags[i].size_bytes == 0 ? strlen(value) : tags[i].size_bytes, 2);
        if (tags[i].size_bytes == 0) {
            put_bytes(frame, value, strlen(value));
        } else {
            put(frame, number, tags[i].size_bytes);
        }
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
    assert_null(value_of(&frame, "with"));
    if (strcmp(type, "HELLO") == 0) {
        put_nonce(&frame, speaker->nonce);
    }
    put_fields(&frame, type, speaker->pid);
    more = value_of(&frame, "more");
    put_hex(&frame, more != NULL ? more : "");
    put_header(&frame, type, has_label ? speaker->number : 0);
    memcpy(out, frame.bytes, frame.length);
    return number_of(&frame, "cut", (uint32_t)frame.length);
}
