/*
 * The breaker of a service whose clients are accepted here: a handler that cannot be launched,
 * fails its handshake or declines the first offer of its life, for several clients in a row, is not
 * tried for a while. (Who refuses a client has answered.) Its clients are
 * refused at once then, instead of waiting for what will fail. It heals by itself: after the pause
 * one client is let through as a probe, and what becomes of that one closes it or opens it for
 * longer. (What brakes the launches for a listener that is handed over is breaker.h.)
 *
 *   CLOSED --failures--> OPEN --time--> PROBED --taken--> CLOSED
 *                          ^--failed------'  \--left--> OPEN, and the next one is the probe
 */
#ifndef BATON_POOL_CIRCUIT_H
#define BATON_POOL_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

/* Connections in a row that were given up before any handler had taken them. */
#define CIRCUIT_FAILURES_COUNT 5u
#define CIRCUIT_FIRST_MS 1000u
#define CIRCUIT_LAST_MS 60000u

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBED };

/* All zero = closed. All times are microseconds of the monotonic clock. */
struct circuit {
    enum circuit_state state;
    uint32_t failures_count; /* in a row */
    uint64_t open_until_us;
};

/* True if circuit_judge() would refuse; begins no probe. */
bool circuit_refuses(const struct circuit *circuit, uint64_t now_us);

enum circuit_verdict { CIRCUIT_LETS_IN, CIRCUIT_LETS_IN_A_PROBE, CIRCUIT_REFUSES };

/* Somebody is to be given to a handler now. A probe is under way from here on, until one of the
 * next three is told of it. */
enum circuit_verdict circuit_judge(struct circuit *circuit, uint64_t now_us);

/* A connection has failed for the handler's sake. Returns for how long the circuit is open by that,
 * in microseconds; 0 = it is not, or was before. */
uint64_t circuit_failed(struct circuit *circuit, bool is_probe, uint64_t now_us);

/* A handler has taken a connection. True if the circuit had been open until now. */
bool circuit_taken(struct circuit *circuit);

/* The probe is over, and has told nothing: its client left. */
void circuit_left(struct circuit *circuit);

#endif
