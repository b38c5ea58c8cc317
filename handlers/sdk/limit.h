/*
 * How many answers a sender of datagrams gets. Anybody can send in another's name, and two servers
 * that answer whatever they get then answer each other for ever: a bound for each sender ends that,
 * since each datagram that goes round is lost when it meets the bound.
 *
 * Senders have counters by a secret hash of their name, so that memory is bounded whatever is
 * forged, and so are all answers together: LIMIT_BUCKETS_COUNT times the rate. Two senders may
 * share a counter; nobody outside can choose with whom. Pure: the time is given. Private to the
 * SDK.
 */
#ifndef BATON_SDK_LIMIT_H
#define BATON_SDK_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_BUCKETS_COUNT 1024u
#define LIMIT_BURST_COUNT 1000u /* answers at once */
#define LIMIT_INTERVAL_MS 10u   /* and then one in this time */

/* All zero is nobody so far; for one thread at a time. */
struct limit {
    uint64_t secret;
    /* When the counter will be full again; each answer moves it on by LIMIT_INTERVAL_MS. */
    uint64_t full_at_ms[LIMIT_BUCKETS_COUNT];
};

/* Counts one answer to `sender`, a text, at `now_ms` of a clock that never goes back. False, and
 * nothing is counted, if it has had too many. */
bool limit_take(struct limit *limit, const char *sender, uint64_t now_ms);

#endif
