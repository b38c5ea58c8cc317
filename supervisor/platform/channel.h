/*
 * The channel: a part of platform.h, whose rules hold here too.
 */
#ifndef BATON_PLATFORM_CHANNEL_H
#define BATON_PLATFORM_CHANNEL_H

#include "core/base/error.h"

#include <stddef.h>

struct platform_process;
struct platform_socket;

/* Receives one whole frame (header and body, at most 16 + 512 bytes) into `buffer`. Returns
 * BATON_OK; BATON_AGAIN; BATON_END when the handler's end is closed; BATON_TOO_LONG or
 * BATON_INVALID for a frame that is torn, longer than `capacity`, or has a wrong header: *length
 * bytes of it, perhaps none, are in `buffer`, so that it can be said what is wrong; BATON_DENIED
 * for one that carries descriptors (they are closed). Once EXIT was reported it never says AGAIN:
 * what lay there when the end was seen is received, then BATON_END, whoever goes on writing. Where
 * a bad frame loses the step of the stream (Windows) the fault is told once, a CHANNEL event
 * follows, and then BATON_END. */
int platform_channel_receive(struct platform_process *process, void *buffer, size_t capacity,
                             size_t *length, struct baton_cause *cause);

/* Longest frame to a handler: an OFFER with all its fields at their longest is 1141 bytes; Windows
 * keeps a buffer of this size in every slot of the table. */
#define PLATFORM_SEND_MAX_BYTES 2048

/* Sends one frame of `length` bytes (16..PLATFORM_SEND_MAX_BYTES), whole. POSIX: with a duplicate
 * of `attach` unless that is PLATFORM_SOCKET_NONE; Windows ignores `attach`. The caller keeps its
 * own socket. Returns BATON_OK: the frame is taken; BATON_AGAIN: not taken, a WRITABLE event
 * follows, then repeat; BATON_GONE: the handler's end is closed; BATON_SHORTAGE: too many
 * descriptors in flight (not taken, no event follows: retry by timer); BATON_TOO_LONG;
 * BATON_SYSTEM. */
int platform_channel_send(struct platform_process *process, const void *frame, size_t length,
                          struct platform_socket attach, struct baton_cause *cause);

/* Closes our ends: the handler reads the end of file, which means DRAIN. Idempotent; no CHANNEL or
 * WRITABLE event is reported any more. */
void platform_channel_close(struct platform_process *process);

#endif
