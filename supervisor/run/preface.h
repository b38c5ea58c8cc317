/* Preface: PROXY headers and first bytes, before anything else is done for a connection. */
#ifndef BATON_RUN_PREFACE_H
#define BATON_RUN_PREFACE_H

#include "core/door/proxy.h"
#include "platform/platform.h"

#include <stdint.h>

struct supervisor;

/* A connection of which something is awaited. */
struct run_preface {
    struct platform_stream *stream; /* NULL = nothing is */
    struct proxy_reader reader;
};

/* Owner: the supervisor. */
struct run_prefaces {
    struct run_preface *entries; /* by connection slot; NULL before a service has prefaces */
};

/* There is a service with prefaces: makes the table, unless it is there. BATON_OK or
 * BATON_NO_MEMORY. */
int run_preface_prepare(struct supervisor *s);
void run_preface_clear(struct supervisor *s);

/* A connection in PREFACE was accepted. */
void run_preface_start(struct supervisor *s, uint32_t connection);
void run_preface_on_stream(struct supervisor *s, uint32_t connection);
/* A connection of a snapshot goes on waiting, with what was read of its header. BATON_OK, or why
 * not.
 */
int run_preface_restore(struct supervisor *s, uint32_t connection,
                        const struct proxy_reader *reader);
/* Stops waiting, if that is under way. */
void run_preface_stop(struct supervisor *s, uint32_t connection);

#endif
