#include "core/pool/snapshot.h"

#include "core/pool/internal.h"

#include <string.h>

/* What is the pool's own, and neither a table nor made by who made it. */
struct pool_state {
    uint32_t vacated_count, last_let_in, last_launched, wanting_first, wanting_last;
    uint64_t last_id, numbers_key, numbers_count;
    struct shortage starved;
    struct pool_trial trial;
    struct rate rate;
    struct timer pause;
};
struct sources_state {
    uint32_t oldest, newest, resting_count;
    uint64_t seed;
};

const size_t pool_snapshot_sizes[] = {sizeof(struct pool_state),  sizeof(struct pool_service),
                                      sizeof(struct connection),  sizeof(struct process),
                                      sizeof(struct slot),        sizeof(struct sources_state),
                                      sizeof(struct source_entry)};
const size_t pool_snapshot_sizes_count = sizeof pool_snapshot_sizes / sizeof *pool_snapshot_sizes;

/* ---- Saving: addresses are left out ---- */

static void save_services(const struct pool *pool, struct snapshot *out) {
    SLOTS_EACH(service, &pool->registry->slots) {
        struct pool_service s = pool->services[service];
        const char *reason = s.pause_reason;
        s.pause_reason = s.spares_reason = NULL;
        snapshot_put(out, SNAPSHOT_POOL_SERVICE, service, &s, sizeof s);
        snapshot_begin(out, SNAPSHOT_POOL_REASONS, service);
        snapshot_add_text(out, reason);
    }
}

static void save_connections(const struct pool *pool, struct snapshot *out) {
    snapshot_put_slots(out, SNAPSHOT_CONNECTION_SLOTS, &pool->connection_slots);
    SLOTS_EACH(slot, &pool->connection_slots) {
        struct connection c = pool->connections[slot];
        const struct pool_text *text = &pool->texts[slot];
        c.served = NULL;
        c.rules = NULL;
        snapshot_put(out, SNAPSHOT_CONNECTION, slot, &c, sizeof c);
        if (text->length_bytes > 0) {
            snapshot_put(out, SNAPSHOT_CONNECTION_TEXT, slot, text->bytes, text->length_bytes);
        }
    }
}

static void save_processes(const struct pool *pool, struct snapshot *out) {
    snapshot_put_slots(out, SNAPSHOT_PROCESS_SLOTS, &pool->process_slots);
    SLOTS_EACH(slot, &pool->process_slots) {
        struct process p = pool->processes[slot];
        p.served = NULL;
        p.rules = NULL;
        snapshot_put(out, SNAPSHOT_PROCESS, slot, &p, sizeof p);
    }
}

static void save_sources(const struct pool *pool, struct snapshot *out) {
    const struct sources *sources = &pool->sources;
    const struct sources_state state = {sources->oldest, sources->newest, sources->resting_count,
                                        sources->seed};
    snapshot_put(out, SNAPSHOT_SOURCES, 0, &state, sizeof state);
    if (sources->slots.used_mark == 0) {
        return;
    }
    snapshot_put_slots(out, SNAPSHOT_SOURCE_SLOTS, &sources->slots);
    snapshot_put(out, SNAPSHOT_SOURCE_BUCKETS, 0, sources->buckets,
                 (sources->bucket_mask + (size_t)1) * sizeof *sources->buckets);
    SLOTS_EACH(slot, &sources->slots) {
        snapshot_put(out, SNAPSHOT_SOURCE, slot, &sources->entries[slot],
                     sizeof sources->entries[slot]);
    }
}

void pool_save(const struct pool *pool, struct snapshot *out) {
    const struct pool_state state = {.vacated_count = pool->vacated_count,
                                     .last_let_in = pool->last_let_in,
                                     .last_launched = pool->last_launched,
                                     .wanting_first = pool->wanting_first,
                                     .wanting_last = pool->wanting_last,
                                     .last_id = pool->last_id,
                                     .numbers_key = pool->numbers_key,
                                     .numbers_count = pool->numbers_count,
                                     .starved = pool->starved,
                                     .trial = pool->trial,
                                     .rate = pool->rate,
                                     .pause = pool->pause};
    snapshot_put(out, SNAPSHOT_POOL, 0, &state, sizeof state);
    save_services(pool, out);
    save_connections(pool, out);
    save_processes(pool, out);
    save_sources(pool, out);
}

/* ---- Loading ---- */

static bool load_state(struct pool *pool, struct snapshot_block *block) {
    struct pool_state state;
    if (!snapshot_take(block, &state, sizeof state)) {
        return false;
    }
    pool->vacated_count = state.vacated_count;
    pool->last_let_in = state.last_let_in;
    pool->last_launched = state.last_launched;
    pool->wanting_first = state.wanting_first;
    pool->wanting_last = state.wanting_last;
    pool->last_id = state.last_id;
    pool->numbers_key = state.numbers_key;
    pool->numbers_count = state.numbers_count;
    pool->starved = state.starved;
    pool->trial = state.trial;
    pool->rate = state.rate;
    pool->pause = state.pause;
    return true;
}

static bool load_text(struct pool *pool, struct snapshot_block *block) {
    struct pool_text *text = &pool->texts[block->index];
    if (block->length > sizeof text->bytes) {
        return false;
    }
    text->length_bytes = (uint16_t)block->length;
    return snapshot_take(block, text->bytes, block->length);
}

static bool load_sources(struct sources *sources, struct snapshot_block *block) {
    struct sources_state state;
    if (!snapshot_take(block, &state, sizeof state)) {
        return false;
    }
    sources->oldest = state.oldest;
    sources->newest = state.newest;
    sources->resting_count = state.resting_count;
    sources->seed = state.seed;
    return true;
}

/* The texts of pauses, which are static. */
static const char *find_reason(const char *text) {
    static const char *const reasons[] = {POOL_HELD_BACK_TEXT, POOL_RATE_TEXT, POOL_HOURS_TEXT};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (text != NULL && strcmp(text, reasons[i]) == 0) {
            return reasons[i];
        }
    }
    return reasons[0];
}

static bool load_entry(struct snapshot_block *block, const struct slots *slots, void *table,
                       size_t entry_bytes) {
    return slots_is_used(slots, block->index) &&
           snapshot_take(block, (char *)table + block->index * entry_bytes, entry_bytes);
}

bool pool_load(struct pool *pool, struct snapshot_block *block, bool *is_whole) {
    struct sources *sources = &pool->sources;
    bool is_read = true;
    switch (block->kind) {
    case SNAPSHOT_POOL:
        is_read = load_state(pool, block);
        break;
    case SNAPSHOT_POOL_SERVICE:
        is_read = load_entry(block, &pool->registry->slots, pool->services, sizeof *pool->services);
        break;
    case SNAPSHOT_POOL_REASONS:
        is_read = slots_is_used(&pool->registry->slots, block->index);
        if (is_read) {
            pool->services[block->index].pause_reason = find_reason(snapshot_take_text(block));
        }
        break;
    case SNAPSHOT_CONNECTION_SLOTS:
        is_read = snapshot_take_slots(block, &pool->connection_slots);
        break;
    case SNAPSHOT_CONNECTION:
        is_read = load_entry(block, &pool->connection_slots, pool->connections,
                             sizeof *pool->connections);
        break;
    case SNAPSHOT_CONNECTION_TEXT:
        is_read = slots_is_used(&pool->connection_slots, block->index) && load_text(pool, block);
        break;
    case SNAPSHOT_PROCESS_SLOTS:
        is_read = snapshot_take_slots(block, &pool->process_slots);
        break;
    case SNAPSHOT_PROCESS:
        is_read = load_entry(block, &pool->process_slots, pool->processes, sizeof *pool->processes);
        break;
    case SNAPSHOT_SOURCES:
        is_read = load_sources(sources, block);
        break;
    case SNAPSHOT_SOURCE_SLOTS:
        is_read = snapshot_take_slots(block, &sources->slots);
        break;
    case SNAPSHOT_SOURCE_BUCKETS:
        is_read = snapshot_take(block, sources->buckets,
                                (sources->bucket_mask + (size_t)1) * sizeof *sources->buckets);
        break;
    case SNAPSHOT_SOURCE:
        is_read = load_entry(block, &sources->slots, sources->entries, sizeof *sources->entries);
        break;
    default:
        return false;
    }
    *is_whole = *is_whole && is_read && block->length == 0;
    return true;
}

static void rearm_service(struct pool *pool, struct pool_service *s) {
    struct timer *const timers[] = {
        &s->spares_pause.until, &s->patience,   &s->idle_exit,  &s->quiet, &s->pause,
        &s->shortage.until,     &s->trial.late, &s->busy.until, NULL};
    for (struct timer *const *at = timers; *at != NULL; at++) {
        snapshot_rearm(pool->timers, *at);
    }
}

void pool_loaded(struct pool *pool) {
    snapshot_rearm(pool->timers, &pool->starved.until);
    snapshot_rearm(pool->timers, &pool->trial.late);
    snapshot_rearm(pool->timers, &pool->pause);
    SLOTS_EACH(service, &pool->registry->slots) {
        rearm_service(pool, &pool->services[service]);
    }
    SLOTS_EACH(slot, &pool->connection_slots) {
        struct connection *c = &pool->connections[slot];
        c->served = &pool->services[c->service];
        c->rules = pool_service_of(pool, c->service);
        snapshot_rearm(pool->timers, &c->timer);
    }
    SLOTS_EACH(slot, &pool->process_slots) {
        struct process *p = &pool->processes[slot];
        p->served = &pool->services[p->service];
        p->rules = pool_service_of(pool, p->service);
        snapshot_rearm(pool->timers, &p->timer);
    }
}
