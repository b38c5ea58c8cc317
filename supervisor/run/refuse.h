/* Refuse: what becomes of a client who was not let in. */
#ifndef BATON_RUN_REFUSE_H
#define BATON_RUN_REFUSE_H

#include "core/base/rate.h"
#include "core/base/slots.h"
#include "core/base/timers.h"
#include "core/pool/connection.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Clients who are being told why, at once. */
#define REFUSALS_MAX_COUNT 64u
/* What they are told, templates filled; the rest is cut. */
#define REFUSAL_MESSAGE_BYTES 1024u

/* What of a service's refusals is in the log. All zero = there were none. */
struct run_refused {
    struct rate rate; /* of their lines */
    /* Left out since it was told last, by outcome, from OUTCOME_REFUSED_ACCESS on. */
    uint32_t suppressed_count[OUTCOME_REFUSED_BREAKER - OUTCOME_REFUSED_ACCESS + 1];
};

/* A client who is told why. Owns its socket. */
struct run_refusal {
    struct platform_socket socket;
    struct platform_stream *stream;
    struct timer timer;
    size_t length, written_bytes, read_bytes;
    char message[REFUSAL_MESSAGE_BYTES];
};

/* Owner: the supervisor. */
struct run_refusals {
    struct run_refusal *entries; /* by slot; NULL as long as no service has a message */
    struct slots slots;
    struct timer suppressed; /* set while there is something to tell */
};

/* Makes room for messages, for a service that has one. BATON_OK or BATON_NO_MEMORY. */
int run_refuse_prepare(struct supervisor *s);
/* Closes what is left, and frees. */
void run_refuse_clear(struct supervisor *s);

/* Closes all who are being told. */
void run_refuse_give_up(struct supervisor *s);

/* Takes the socket of a connection that has ended as a refusal: tells the client, if there is
 * something to tell and room for it, and closes it. */
void run_refuse_client(struct supervisor *s, uint32_t connection);
/* True if the refusal may have its line in the log; else it is counted, and told later. */
bool run_refuse_may_record(struct supervisor *s, const struct connection *connection);

/* The rule that has refused it, as `deny 10.0.0.0/8 (FILE:LINE)`: in `out`, or static. */
#define REFUSE_RULE_BYTES 512u
const char *run_refuse_rule(struct supervisor *s, const struct connection *connection,
                            char out[REFUSE_RULE_BYTES]);

/* The stream, or the time, of a client who is being told. */
void run_refuse_on_stream(struct supervisor *s, uint32_t refusal);
void run_refuse_on_timer(struct supervisor *s, uint32_t refusal);
/* Tells how many lines were left out, and returns that; when the time has come, unless the log
 * takes nothing now. */
size_t run_refuse_tell_suppressed(struct supervisor *s);
void run_refuse_on_suppressed(struct supervisor *s);

#endif
