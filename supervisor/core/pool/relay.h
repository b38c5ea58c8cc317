/*
 * The pure part of a relay (hand-off `pump`): two bounded buffers between a client's connection and
 * a program's standard streams, and what is to be done with them.
 *
 *   client --source--> [ in  ] --sink--> program's input
 *   client <----sink-- [ out ] <-source-- program's output
 *
 * A direction is read while it has room, so a sink that takes nothing holds its source back. The
 * end of a source is passed on when its last byte is with the sink; the other direction goes on
 * (half-close). When a sink is gone its source is still read, and what it says is thrown away: a
 * client must not hang in a write, and bytes that were never read would turn the end of the
 * connection into a reset, which can destroy what the client has not read yet.
 */
#ifndef BATON_POOL_RELAY_H
#define BATON_POOL_RELAY_H

#include "core/base/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one direction holds at most. */
#define RELAY_BUFFER_BYTES 65536u

/* A ring. Its fields are private. */
struct relay_direction {
    uint8_t *bytes;         /* RELAY_BUFFER_BYTES of the relay's */
    uint64_t filled_bytes;  /* all that came from the source */
    uint64_t drained_bytes; /* all that went into the sink */
    uint32_t start;         /* where the oldest byte is */
    uint32_t count;         /* bytes held */
    bool source_ended;
    bool sink_gone;
    bool finish_told; /* relay_should_finish() was true */
};

struct relay {
    struct relay_direction in;  /* client to program */
    struct relay_direction out; /* program to client */
    /* Never set as a whole, so that no page is resident before it is used. */
    uint8_t in_bytes[RELAY_BUFFER_BYTES];
    uint8_t out_bytes[RELAY_BUFFER_BYTES];
};

/* Sets what was used before, or is all zero, to its beginning; the buffers are left alone. */
void relay_init(struct relay *relay);

/* How many bytes may be read from the source now, into *room; 0 = none: the buffer is full, or the
 * source has ended. Not more than lie in one piece, so another call may give more. */
size_t relay_space(struct relay_direction *direction, uint8_t **room);

/* `length` bytes, at most what relay_space() gave, were read into that room. */
void relay_filled(struct relay_direction *direction, size_t length);

/* The source will give no more. What is held is still for the sink. */
void relay_source_ended(struct relay_direction *direction);

bool relay_source_has_ended(const struct relay_direction *direction);

/* How many bytes are to be written to the sink now, from *data; 0 = none. Not more than lie in one
 * piece. */
size_t relay_data(const struct relay_direction *direction, const uint8_t **data);

/* `length` bytes, at most what relay_data() gave, were taken by the sink. */
void relay_drained(struct relay_direction *direction, size_t length);

/* The sink will take no more: what is held, and all that comes, is for nobody. */
void relay_sink_gone(struct relay_direction *direction);

/* True exactly once: when the source has ended and the sink has everything, so that it is to be
 * told of the end. Never for a sink that is gone. */
bool relay_should_finish(struct relay_direction *direction);

/* The client has reset the connection: nothing reaches it any more, so what the program says is for
 * nobody, and is not read any more either. What the client has sent before is still for the
 * program, until relay_source_ended(&relay->in). */
void relay_client_lost(struct relay *relay);

/* The program has ended, so nobody takes its input. What it wrote is still to be read until
 * relay_source_ended(&relay->out). */
void relay_program_exited(struct relay *relay);

/* Bytes read from the client, and bytes that were written to it. */
uint64_t relay_bytes_in(const struct relay *relay);
uint64_t relay_bytes_out(const struct relay *relay);

/* To a block of a snapshot, and from it, into a relay that was initialised; false if it is none. */
void relay_save(const struct relay *relay, struct snapshot *out);
bool relay_load(struct relay *relay, struct snapshot_block *block);

/* The source has ended, and the sink has had everything and was told, or is gone. */
bool relay_direction_is_over(const struct relay_direction *direction);
/* Both directions are. */
bool relay_is_over(const struct relay *relay);

#endif
