/*
 * The snapshot of a supervisor: what a restart takes over. snapshot.c writes it, snapshot_load.c
 * reads it, and what is written that is no struct of its part stands here.
 *
 * When it is taken nothing is half done: no action waits, no launch is under way, nothing of an end
 * is left to be read, and nobody is being refused. Launches that were held back are queued.
 */
#ifndef BATON_RUN_SNAPSHOT_H
#define BATON_RUN_SNAPSHOT_H

#include "core/base/snapshot.h"
#include "run/internal.h"

/* Two batonds with the same layout can read each other's snapshots. */
uint64_t run_snapshot_layout(void);

/* Writes all that there is, and holds what goes over. False when out of memory. */
bool run_snapshot_make(struct supervisor *s, struct snapshot *out);

/* Takes over what `left` has; the tables are made, and empty, the platform and the log are open.
 * BATON_OK; or why not: then the supervisor is of no use, and *fault (static) says what it was. */
int run_snapshot_load(struct supervisor *s, const struct platform_restarted *left,
                      const char **fault);

/* ---- What is written ---- */

/* The rules of services have a layout of their own, whatever the version of the program is. */
#define SNAPSHOT_IMAGE "snapshot"

struct snapshot_head {
    uint64_t magic, layout;
    uint32_t pid, connection_count;
};
#define SNAPSHOT_MAGIC UINT64_C(0x31706e736e746162) /* "batnsnp1" */

/* Of a thing that may not be there. */
struct snapshot_held {
    bool is_there;
    struct platform_held held;
};

struct snapshot_listening {
    struct shortage shortage;
    struct timer quiet;
    uint32_t turn;
    bool has_opened, ready_logged;
    struct run_manager manager; /* of the service manager, who has its copies */
    uint64_t reloads_asked_count, reloads_begun_count, reloads_done_count;
    struct timer retry_offers, suppressed_output, suppressed_refusals, refill;
};

struct snapshot_launching {
    uint32_t first_waiting, last_waiting;
    struct run_waits waits[RUN_WAITS_COUNT];
};

/* Of a service; behind it the slots of its listeners, and who waits at each if it is ready and
 * hands them over. */
struct snapshot_service {
    struct shortage starting, renewing, limit;
    struct timer workers;
    uint64_t full_told_us, calm_us, output_suppressed_count;
    struct rate output_rate;
    struct run_refused refused;
    struct run_control_counts counts;
    uint32_t full_count, last_place, first_queued, last_queued, next_waiting;
    uint32_t place_count, waiting_count; /* what follows */
    int32_t result;
    bool identifies, is_ready, has_changed, is_lacking;
};

struct snapshot_listener {
    struct run_listener listener;
    struct snapshot_held held;
};

struct snapshot_process {
    struct run_process process;
    struct snapshot_held held;
};

/* All of a pump but its relay. */
struct snapshot_pump {
    unsigned char state[offsetof(struct run_pump, relay)];
    struct snapshot_held socket;
    bool has_client, has_input, has_output;
};

/* A log; behind it its path, what it has not taken, and what waits for it. */
struct snapshot_sink {
    size_t used_bytes, dropped_count, lost_count, lost_records_count;
    bool at_line_start, head_is_record, is_failing, is_behind, has_piece;
    struct platform_held log;
    char reason[sizeof((struct run_sink *)0)->reason];
};

struct snapshot_control {
    uint64_t started_us;
    uint32_t followers_count;
    uint64_t outcomes_count[OUTCOMES_COUNT];
    struct snapshot_held endpoints[RUN_CONTROL_KINDS]; /* their paths follow */
};

/* All of a client but its buffer; what of that was not sent, or is of its request, follows. */
struct snapshot_client {
    unsigned char state[offsetof(struct run_control_client, bytes)];
    struct platform_held socket;
};

#endif
