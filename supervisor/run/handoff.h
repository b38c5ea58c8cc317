/* Hand-off: offers, and the frames of the channel. */
#ifndef BATON_RUN_HANDOFF_H
#define BATON_RUN_HANDOFF_H

#include "core/base/timers.h"

#include "wire.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Owner: the supervisor. */
struct run_offering {
    struct timer retry; /* set while an offer waits for want of resources */
};

void run_handoff_create(struct supervisor *s);

/* LIMITS on the channel (POOL_SEND_LIMITS). It is not sent again if there is no room for it. */
void run_handoff_send_limits(struct supervisor *s, uint32_t process);
/* Writes the OFFER of a connection; `info` is the description of its socket, NULL = none. Returns
 * its length, or less than 0. */
long run_handoff_write_offer(const struct supervisor *s, uint32_t connection, const uint8_t *info,
                             uint8_t frame[WIRE_OFFER_MAX_BYTES]);
/* True if there is nothing left to offer: the client has reset, or the stop has closed the
 * listener.
 */
bool run_handoff_is_void(struct supervisor *s, uint32_t connection);
/* Sends the process its offer (POOL_OFFER); what fails is told the pool. */
void run_handoff_offer(struct supervisor *s, uint32_t process);
/* DRAIN on the channel; a process that has a listener and no channel gets SIGTERM. */
void run_handoff_send_drain(struct supervisor *s, uint32_t process);
/* CANCEL of a connection (POOL_CANCEL). */
void run_handoff_send_cancel(struct supervisor *s, uint32_t connection);
/* Repeats the offers that could not be sent for want of resources. */
void run_handoff_retry(struct supervisor *s);
void run_handoff_on_writable(struct supervisor *s, uint32_t process);
/* Reads one frame and tells the pool what it says. True if there may be more. */
bool run_handoff_on_channel(struct supervisor *s, uint32_t process);

#endif
