/*
 * The ways to misbehave.
 *
 * At every step: crash, hang, exit-0, exit-3, close (the channel, then hang), garbage, half (half a
 * header, then hang), half-body, wrong-magic, wrong-version, wrong-flags, unknown-type, type-zero,
 * long-body, no-fields, hello (a correct HELLO: the second one unless at `start`), two-hello,
 * ack-unknown, done-unknown, descriptor (a frame with a descriptor attached; POSIX only).
 * In place of HELLO (step start): wrong-nonce, stranger-pid, capacity-zero, optional (a type that
 * may be skipped), slow-MS.
 * After OFFER (step offer): nack-retire, nack-busy, nack-refuse, slow-MS.
 * After ACK or DONE: done-twice (step done), slow-MS, flood (frames that may be skipped, for ever).
 *
 * What is wrong on the channel is followed by a hang, so that the supervisor has to end the
 * process; but after ACK the handler goes on and serves its client, whom it alone can serve. Where
 * `-on` stands behind the act, ACK and DONE follow at once, and exit 0.
 */
#ifndef MISBEHAVE_ACT_H
#define MISBEHAVE_ACT_H

#include <stdbool.h>
#include <stdint.h>

/* Does the act that `what` names. Returns if the handler goes on: after slow-MS, a NACK, or a lie
 * or close while it `holds` a connection. `connection` is the number of the last OFFER, 0 before
 * one. An act that is not known ends the process with 64. */
void act_perform(const char *what, const uint8_t *nonce, uint32_t connection, bool holds);

#endif
