#include "frame.h"

#include "system.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

static void put_number(uint8_t *out, uint64_t value, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++) {
        out[i] = (uint8_t)(value >> (8 * (size_bytes - 1 - i)));
    }
}

static void append(struct frame *frame, const void *bytes, size_t length) {
    if (length > sizeof frame->bytes - frame->length) {
        abort();
    }
    memcpy(frame->bytes + frame->length, bytes, length);
    frame->length += length;
    put_number(frame->bytes + 12, frame->length - WIRE_HEADER_BYTES, 4);
}

void frame_begin(struct frame *frame, uint8_t type, uint32_t connection) {
    memset(frame, 0, sizeof *frame);
    frame->length = WIRE_HEADER_BYTES;
    put_number(frame->bytes, WIRE_MAGIC, 4);
    frame->bytes[4] = WIRE_VERSION;
    frame->bytes[5] = type;
    put_number(frame->bytes + 8, connection, 4);
}

void frame_field(struct frame *frame, uint16_t tag, const void *value, size_t length) {
    uint8_t header[WIRE_FIELD_HEADER_BYTES];
    put_number(header, tag, 2);
    put_number(header + 2, length, 2);
    append(frame, header, sizeof header);
    append(frame, value, length);
}

void frame_number(struct frame *frame, uint16_t tag, uint64_t value, size_t size_bytes) {
    uint8_t bytes[8];
    put_number(bytes, value, size_bytes);
    frame_field(frame, tag, bytes, size_bytes);
}

void frame_send(const struct frame *frame) {
    system_send(frame->bytes, frame->length);
}

void frame_hello(struct frame *frame, const uint8_t *nonce, uint32_t pid, uint32_t capacity) {
    frame_begin(frame, WIRE_HELLO, 0);
    frame_field(frame, WIRE_TAG_NONCE, nonce, WIRE_NONCE_BYTES);
    frame_number(frame, WIRE_TAG_PID, pid, 4);
    frame_number(frame, WIRE_TAG_CAPACITY, capacity, 4);
}

void frame_ack(struct frame *frame, uint32_t connection) {
    frame_begin(frame, WIRE_ACK, connection);
}

void frame_nack(struct frame *frame, uint32_t connection, uint8_t reason) {
    frame_begin(frame, WIRE_NACK, connection);
    frame_number(frame, WIRE_TAG_REASON, reason, 1);
}

void frame_done(struct frame *frame, uint32_t connection, uint8_t status) {
    frame_begin(frame, WIRE_DONE, connection);
    frame_number(frame, WIRE_TAG_STATUS, status, 1);
}
