/* What the pool's files share. Calls go down this list only:
 *   stop.c      deadlines and the ordered stop
 *   launch.c, frames.c, arrival.c   what becomes of a launch, what handlers say, who has come
 *   overrun.c   connections that go on for too long
 *   retire.c    processes that get no more offers, though they could
 *   admit.c     who is let in
 *   end.c       ends of connections, attempts, channels and processes
 *   spares.c    processes launched ahead of need
 *   dispatch.c  who gets whom
 *   room.c, serving.c, words.c   room, services, what is said of a connection
 *   workers.c   activations that share a listener
 *   drain.c     how one process is brought to its end
 *   credits.c   what a process counts for
 *   wants.c, idle.c   what a service lacks, who is idle
 *   lists.c, actions.c, number.c, pool.c   queues, the ring, numbers on channels, the tables */
#ifndef BATON_POOL_INTERNAL_H
#define BATON_POOL_INTERNAL_H

#include "core/pool/pool.h"

/* A killed process ends at once, unless the system does not let us kill it (another user's, by a
 * set-uid handler) or it hangs in the system. For this long it is believed to end. */
#define POOL_KILL_GRACE_US 5000000u

static inline uint64_t pool_ms(uint32_t ms) {
    return (uint64_t)ms * 1000u;
}

/* ---- actions.c ---- */

int pool_init_ring(struct pool *pool, uint32_t connection_count, uint32_t process_count);
void pool_clear_ring(struct pool *pool);
void pool_push_connection(struct pool *pool, enum pool_action_kind kind, uint32_t connection,
                          uint32_t process, enum outcome outcome);
void pool_push_process(struct pool *pool, enum pool_action_kind kind, const struct process *p,
                       uint32_t connection, enum outcome outcome);
void pool_push_service(struct pool *pool, enum pool_action_kind kind, uint32_t service);

/* ---- pool.c ---- */

const struct service *pool_service_of(const struct pool *pool, uint32_t service);

/* ---- serving.c ---- */

/* One that goes by the service (a connection, a process) is there, or is not any more. */
void pool_join_service(struct pool *pool, uint32_t service);
void pool_leave_service(struct pool *pool, uint32_t service);
/* Each service once, those behind `last` first: where what there is does not suffice for all, the
 * one that had the last of it comes last. */
typedef void pool_visit(struct pool *pool, uint32_t service);
void pool_visit_in_turn(struct pool *pool, uint32_t last, pool_visit *visit);
/* Tells that a retired service has neither connections nor processes, if that is so. */
void pool_tell_over(struct pool *pool, uint32_t service);

/* Of a service that was retired: tells those who may be offered more that there is no more. What
 * they hold they may finish. */
void pool_drain_idle(struct pool *pool, uint32_t service);
/* No more spares, for the service or the supervisor stops. */
void pool_want_no_spares(struct pool *pool, uint32_t service);

/* ---- lists.c ---- */

/* Sends the connection to the queue of its service, behind those that were accepted before it. */
void pool_enqueue(struct pool *pool, uint32_t connection);
void pool_dequeue(struct pool *pool, uint32_t connection);
/* `process` is launched for the connection, which is in the queue. */
void pool_expect(struct pool *pool, uint32_t process, uint32_t connection);
/* The process that is launched for the connection is so no more: it is in no queue then; or in that
 * of those without a launch. */
void pool_expect_no_more(struct pool *pool, uint32_t connection);
void pool_requeue(struct pool *pool, uint32_t connection);

/* Links and unlinks a connection among those that its process holds. How long it may stay there is
 * counted from the first. */
void pool_hold(struct pool *pool, uint32_t process, uint32_t connection);
void pool_unhold(struct pool *pool, uint32_t process, uint32_t connection);

/* ---- idle.c ---- */

void pool_join_idle(struct pool *pool, struct process *p);
void pool_leave_idle(struct pool *pool, struct process *p);

/* ---- wants.c ---- */

/* The service may have another process, by its own bounds; `is_crowded` (NULL = not asked for):
 * because too many are ending. */
bool pool_may_launch(const struct pool *pool, uint32_t service, bool *is_crowded);
/* How many connections the processes can be expected to take that have not said HELLO yet. */
uint64_t pool_launching_credits(const struct pool_service *s);
/* The target of spares is kept without the process. */
bool pool_can_spare(const struct pool_service *s, const struct process *p);
/* Keeps the list of services that lack spares true, after a change of the service. */
void pool_update_wants(struct pool *pool, uint32_t service);
/* It has had its turn: puts it behind the others. */
void pool_end_turn(struct pool *pool, uint32_t service);

static inline uint64_t pool_idle_until_us(const struct process *p) {
    return p->idle_since_us + 1000000u * (uint64_t)p->rules->idle_exit_s;
}

/* ---- credits.c ---- */

/* Keeps lists and sums of the service true after a change of `process`. */
void pool_update_process(struct pool *pool, struct process *p);

/* ---- words.c ---- */

/* Keeps what is said of the connection, in place of what was said before. */
void pool_keep_text(struct pool *pool, uint32_t connection, const char *text, size_t text_bytes);

/* Keeps what was said of a connection that is held. */
void pool_take_words(struct pool *pool, uint32_t connection, const struct pool_words *words);

/* ---- room.c ---- */

/* Tells that the service has room, if that is owed and so. To be asked whenever anything that stood
 * against it has gone. */
void pool_tell_room(struct pool *pool, uint32_t service);
/* A slot is free again in a table that was full: those who had no place in it may have waited. */
void pool_tell_room_in_table(struct pool *pool);

/* ---- admit.c ---- */

/* Scopes of sources (door/sources.h): of all connections by their exact address, of those that the
 * limits for all services count; and a service's is its slot and 1. */
#define POOL_SCOPE_EXACT UINT32_MAX
#define POOL_SCOPE_COMMON 0u

/* Judges a client in PREFACE, whose peer is known. True if it is let in, and counted as such, at
 * once or, behind a proxy, when its turn has come (awaits_turn, its timer); else the connection has
 * ended. */
bool pool_admit(struct pool *pool, uint32_t connection);
/* The same for one that is to name its client by a PROXY header: at a local socket only who may
 * come himself may speak for others. */
bool pool_admit_proxy(struct pool *pool, uint32_t connection);
/* The same by the breaker alone, when it is about to be given to a process: perhaps as the probe.
 */
bool pool_passes_breaker(struct pool *pool, uint32_t connection);
/* Counts one that is let in for the rates. */
void pool_charge(struct pool *pool, uint32_t connection);

/* ---- dispatch.c ---- */

/* Gives waiting connections to idle processes, and launches processes for the others. */
void pool_dispatch(struct pool *pool, uint32_t service);
void pool_dispatch_all(struct pool *pool);

/* Offers the connection, which is in no queue, to the process. */
void pool_offer(struct pool *pool, uint32_t process, uint32_t connection);
/* The connection, which is in no queue and has its number, is offered to the process. */
void pool_note_offer(struct pool *pool, struct process *p, uint32_t connection);
/* The answer to its offer is due in handshake_timeout_ms. */
void pool_await_answer(struct pool *pool, struct process *p);

/* Where processes serve many, launches that are under way at a time before one has said HELLO: as
 * many as there are processors, within these. Fewer of them would let one that hangs hold up all
 * who wait; with more, since the first HELLO may say that one would have done for all, too many are
 * in vain. */
#define POOL_LAUNCHES_LEAST_COUNT 4u
#define POOL_LAUNCHES_FIRST_MOST_COUNT 16u
/* HELLO has come: what is learnt of how long launches take. Before pool_update_process(). */
void pool_note_greeting(struct process *p);
/* Those who wait for what is under way have done so for long. */
void pool_doubt(struct pool *pool, uint32_t service);

/* Launches a process for a connection that is in the queue, or (SLOT_NONE) for none. */
void pool_begin_launch(struct pool *pool, uint32_t service, uint32_t connection);

/* ---- spares.c ---- */

/* A client has come, and was given to a process, or must wait for one. */
void pool_note_demand(struct pool *pool, uint32_t service, bool is_missed);
/* TARGET_QUIET_US have passed. */
void pool_look_at_target(struct pool *pool, uint32_t service);
/* A process that nobody waited for has failed, before it was of use to anybody; `reason` (static)
 * is for the log. */
void pool_spare_failed(struct pool *pool, const struct process *p, const char *reason);
/* One of the service's was of use. */
void pool_spares_are_fine(struct pool *pool, uint32_t service);

/* ---- retire.c ---- */

/* It gets no more offers, and is drained when it holds nothing. */
void pool_retire_process(struct pool *pool, struct process *p, enum retire_reason reason);
/* The time of the service's idle_exit has come. */
void pool_drain_surplus(struct pool *pool, uint32_t service);

/* ---- overrun.c ---- */

/* The deadline of a connection that is held has passed. */
void pool_overran(struct pool *pool, uint32_t connection);
/* It is held from now on: ends it, if that was asked for before. */
void pool_end_if_killed(struct pool *pool, uint32_t connection);
/* Terminates a process that has been told in vain to end what it holds, if that is all it has. */
void pool_end_overdue(struct pool *pool, struct process *p);

/* ---- dismiss.c ---- */

/* One for which the process is being launched is over: there is nothing that it could be given. */
void pool_drop_activation(struct pool *pool, struct process *p);
/* It has taken a connection that it was given before the service was stopped or retired. */
void pool_settle_taken(struct pool *pool, struct process *p, uint32_t connection);

/* ---- end.c ---- */

/* Ends a connection in any state: unlinks it from its queue or process, and asks for the record. */
void pool_end_connection(struct pool *pool, uint32_t connection, enum outcome outcome);

/* A connection that no process has any more: it waits for the next one, unless it is to end. */
void pool_come_back(struct pool *pool, uint32_t connection);

/* An attempt of `process` with the connection has failed: another one, or the end. */
void pool_fail_attempt(struct pool *pool, uint32_t process, uint32_t connection,
                       enum outcome outcome);

/* What became of a connection that the process should have had; {0}: it has never run. */
enum outcome pool_lost_outcome(const struct process *p, struct pool_exit how);

/* What the process was offered, if anything, is not to be offered to it any longer; an answer that
 * is under way still counts. */
void pool_recall_offer(struct pool *pool, struct process *p);

/* The handshake has gone wrong because the process is ending, or so it seems: its exit, which tells
 * more, is awaited for a moment. */
void pool_await_exit(struct pool *pool, struct process *p, enum outcome fault);

/* The handshake has gone wrong. Nothing is offered again before the process is gone: what it wrote
 * before its end may be the ACK. Connections that it already holds keep it alive for a while. */
void pool_fault_process(struct pool *pool, struct process *p, enum outcome fault);

/* The channel is closed while connections are held: they go on without it, for as long as they
 * like unless the supervisor stops. */
void pool_go_on_without_channel(struct pool *pool, struct process *p, enum retire_reason reason);

/* The process has taken the connection. */
void pool_note_taken(struct pool *pool, uint32_t connection);

/* It gets no more connections, and has not had any. */
void pool_note_useless(struct pool *pool, struct process *p);

/* Frees the slot of a process. */
void pool_free_process(struct pool *pool, struct process *p);

/* ---- number.c ---- */

/* Gives the connection, which is about to be offered, the number that it has on that channel: never
 * 0, not what the last offer of the slot had, and not to be known to who has not read the OFFER. */
void pool_number(struct pool *pool, uint32_t connection);

/* ---- drain.c ---- */

/* The stop_timeout_ms of the process's service. */
uint64_t pool_stop_timeout_us(const struct process *p);

/* Sets the one deadline of a process, `delay_us` from now. */
void pool_set_deadline(struct pool *pool, struct process *p, uint64_t delay_us);

/* Gives a draining process that has no deadline one. */
void pool_bound_drain(struct pool *pool, struct process *p);

/* trial.c: none is due. */
struct pool_trial pool_trial_make(uint64_t token);
/* One is launched for a client; it may be a trial (struct pool_trial). */
void pool_begin_trials(struct pool *pool, const struct process *p);
/* It takes too long: the next launch is one, and that of another service if need be. */
void pool_pass_trial(struct pool *pool, struct pool_trial *trial);
/* Its launch was made, or has failed: true if it was one, and others may follow. */
bool pool_end_trial(struct pool *pool, struct pool_trial *trial, uint32_t process, bool is_short);
/* Launches of the service wait for a limit of its own, or for the first one that tries. */
bool pool_is_short(const struct pool_service *s);

/* HELLO and ACK are awaited no longer than an ordered stop gives the process. */
void pool_bound_handshake(struct pool *pool, struct process *p);
/* The same of a launch that is under way, whether or not it has a deadline. */
void pool_bound_launch(struct pool *pool, struct process *p);
/* The stop's time for that is over. */
bool pool_has_outstayed_stop(const struct pool *pool, const struct process *p);

/* Tells a process to drain, and sets its stop_timeout_ms. One that is not READY yet must be wanted
 * by nobody. */
void pool_drain_process(struct pool *pool, struct process *p, enum retire_reason reason);

/* How old the next process of the service may become, in microseconds; 0 = there is no bound. */
uint64_t pool_next_age_us(struct pool_service *s, const struct service *rules);
/* A READY process has no offer that is open: what is left is the deadline of its age. */
void pool_rest(struct pool *pool, struct process *p);

/* Has the process ended, by force. */
void pool_kill_process(struct pool *pool, struct process *p, enum retire_reason reason);

/* Asks the system to end it, and has it killed after its stop_timeout_ms. */
void pool_terminate_process(struct pool *pool, struct process *p, enum retire_reason reason);

void pool_close_channel(struct pool *pool, struct process *p);

/* It was given the listener at its launch, and has no channel: SIGTERM tells it to drain. */
bool pool_has_bare_listener(const struct process *p);

#endif
