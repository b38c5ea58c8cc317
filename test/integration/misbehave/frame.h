/* Frames as this test program sends them: built byte by byte, so that each part can be a lie. */
#ifndef MISBEHAVE_FRAME_H
#define MISBEHAVE_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct frame {
    uint8_t bytes[1024];
    size_t length;
};

void frame_begin(struct frame *frame, uint8_t type, uint32_t connection);
void frame_field(struct frame *frame, uint16_t tag, const void *value, size_t length);
void frame_number(struct frame *frame, uint16_t tag, uint64_t value, size_t size_bytes);

/* Sends it on the channel as it is. */
void frame_send(const struct frame *frame);

/* The good ones. */
void frame_hello(struct frame *frame, const uint8_t *nonce, uint32_t pid, uint32_t capacity);
void frame_ack(struct frame *frame, uint32_t connection);
void frame_nack(struct frame *frame, uint32_t connection, uint8_t reason);
void frame_done(struct frame *frame, uint32_t connection, uint8_t status);

#endif
