/* What the pool's files share: pool.c (tables, connections), pool_dispatch.c (who gets whom),
 * pool_process.c (the life of a process), pool_stop.c (deadlines and the stop). */
#ifndef BATON_POOL_INTERNAL_H
#define BATON_POOL_INTERNAL_H

#include "core/pool/pool.h"

#define POOL_STARVED_RETRY_US 100000u
/* Processes that a service may have for each connection: one may outlive its last connection by
 * its stop_timeout_ms. The bound is the service's own, so that none can starve another. */
#define POOL_PROCESSES_PER_CONNECTION 2u

static inline uint64_t pool_ms(uint32_t ms) {
    return (uint64_t)ms * 1000u;
}

/* A killed process ends at once, unless the system does not let us kill it (another user's, by a
 * set-uid handler) or it hangs in the system. For this long it is believed to end. */
#define POOL_KILL_GRACE_US 5000000u

/* Appends an action; `connection`, `process` SLOT_NONE and `outcome` OUTCOME_NONE where not meant.
 */
void pool_push(struct pool *pool, enum pool_action_kind kind, uint32_t process, uint32_t connection,
               enum outcome outcome);

/* The same for a service as such. */
void pool_push_service(struct pool *pool, enum pool_action_kind kind, uint32_t service,
                       uint64_t pause_us);

/* What a timer of the pool belongs to: the top bits of its owner, with an index below. */
enum pool_timer {
    POOL_TIMER_PROCESS,
    POOL_TIMER_CONNECTION,
    POOL_TIMER_SERVICE,
    POOL_TIMER_STARVED
};
#define POOL_TIMER_SHIFT 28u

static inline uint32_t pool_timer_owner(enum pool_timer kind, uint32_t index) {
    return ((uint32_t)kind << POOL_TIMER_SHIFT) | index;
}

const struct service *pool_service_of(const struct pool *pool, uint32_t service);

/* Sends the connection to the queue of its service, behind those that were accepted before it. */
void pool_enqueue(struct pool *pool, uint32_t connection);

void pool_dequeue(struct pool *pool, uint32_t connection);

/* Gives waiting connections to idle processes, and launches processes for the others. */
void pool_dispatch(struct pool *pool, uint32_t service, uint64_t now_us);
void pool_dispatch_all(struct pool *pool, uint64_t now_us);

/* Offers the connection, which is in no queue, to the process. */
void pool_offer(struct pool *pool, uint32_t process, uint32_t connection, uint64_t now_us);

/* Keeps the service's list of idle processes true after a change of `process`. */
void pool_update_idle(struct pool *pool, uint32_t process);

/* Ends a connection in any state: unlinks it from its queue or process, and asks for the record. */
void pool_end_connection(struct pool *pool, uint32_t connection, enum outcome outcome,
                         uint64_t now_us);

/* An attempt of `process` with the connection has failed: another one, or the end. */
void pool_fail_attempt(struct pool *pool, uint32_t process, uint32_t connection,
                       enum outcome outcome, uint64_t now_us);

/* Links and unlinks a connection among those that its process holds. */
void pool_hold(struct pool *pool, uint32_t process, uint32_t connection);
void pool_unhold(struct pool *pool, uint32_t process, uint32_t connection);

/* Sets the one deadline of a process. */
void pool_set_deadline(struct pool *pool, struct process *p, uint64_t deadline_us);

/* The stop_timeout_ms of the process's service. */
uint64_t pool_stop_timeout_us(const struct pool *pool, const struct process *p);

/* Gives a draining process that has no deadline one. */
void pool_bound_drain(struct pool *pool, struct process *p, uint64_t now_us);

/* Has the process ended, by force. */
void pool_kill_process(struct pool *pool, uint32_t process, uint64_t now_us);

/* The handshake has gone wrong. Nothing is offered again before the process is gone: what it wrote
 * before its end may be the ACK. Connections that it already holds keep it alive for a while. */
void pool_fault_process(struct pool *pool, uint32_t process, enum outcome fault, uint64_t now_us);

/* Tells that the service has room, if that is owed and nothing else stands against it. */
void pool_tell_room(struct pool *pool, uint32_t service);

/* No process may be launched for now; tried again by timer and whenever something is freed. */
void pool_starve(struct pool *pool, uint64_t now_us);

/* Frees the slot of a process. */
void pool_free_process(struct pool *pool, uint32_t process);

/* Tells a READY process to drain, and sets its stop_timeout_ms. */
void pool_drain_process(struct pool *pool, uint32_t process, uint64_t now_us);

#endif
