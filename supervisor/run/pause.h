/* Pause: which listeners are watched just now, so that nobody is accepted who cannot be served. */
#ifndef BATON_RUN_PAUSE_H
#define BATON_RUN_PAUSE_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;
struct run_listener;

/* Pauses or resumes all listeners when what concerns them all has changed: shortages, and a log
 * that takes no more. */
void run_pause_update(struct supervisor *s);
/* The same for what concerns one listener, and one service. */
void run_pause_update_listener(struct supervisor *s, struct run_listener *listener);
void run_pause_update_service(struct supervisor *s, uint32_t service);

/* True if nobody may come to the service (slot): for what concerns all of them, or because its own
 * log takes no more. */
bool run_pause_is_blocked(const struct supervisor *s, uint32_t service);

/* The service has no room, while somebody waits; or has it again (POOL_ROOM). */
void run_pause_on_room(struct supervisor *s, uint32_t service, bool has_room);

/* Nothing is accepted for a while, because descriptors or memory are short. */
void run_pause_on_shortage(struct supervisor *s, uint32_t service, int code,
                           const struct baton_cause *cause);
/* The same is said, not too often, without a pause. */
void run_pause_log_shortage(struct supervisor *s, uint32_t service, int code,
                            const struct baton_cause *cause);
/* A descriptor or a process was freed: a shortage may be over. */
void run_pause_relieve(struct supervisor *s);
/* A connection was accepted, or nothing was short for a while: whatever was is there again. */
void run_pause_after_shortage(struct supervisor *s);

/* The listener alone cannot accept, for a reason of its own: it is not asked for a while. */
void run_pause_on_fault(struct supervisor *s, struct run_listener *listener, int code,
                        const struct baton_cause *cause);
/* It has accepted somebody: the fault, if there was one, is over. */
void run_pause_after_fault(struct supervisor *s, struct run_listener *listener);

#endif
