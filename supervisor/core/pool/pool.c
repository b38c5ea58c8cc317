/* The pool's tables. */
#include "core/pool/pool.h"

#include "core/base/error.h"
#include "core/base/table.h"
#include "core/pool/internal.h"

#include <stdlib.h>
#include <string.h>

/* Launches that found a shortage are tried again after this long, and whenever something is freed.
 */
#define STARVED_RETRY_MS 100u
/* Entries of the table of sources that a connection may be counted in: see admit.c. */
#define SOURCES_PER_CONNECTION 3u

int pool_init(struct pool *pool, struct services *services, struct timers *timers, uint64_t seed,
              uint32_t connection_count) {
    uint32_t process_count = POOL_PROCESSES_PER_CONNECTION * connection_count;
    memset(pool, 0, sizeof *pool);
    pool->registry = services;
    pool->timers = timers;
    pool->connections = table_create(connection_count, sizeof *pool->connections);
    pool->processes = table_create(process_count, sizeof *pool->processes);
    pool->services = table_create(SERVICES_MAX_COUNT, sizeof *pool->services);
    pool->texts = table_create(connection_count, sizeof *pool->texts);
    if (pool->services == NULL || pool->connections == NULL || pool->processes == NULL ||
        pool->texts == NULL || pool_init_ring(pool, connection_count, process_count) != BATON_OK ||
        slots_init(&pool->connection_slots, connection_count) != BATON_OK ||
        slots_init(&pool->process_slots, process_count) != BATON_OK ||
        sources_init(&pool->sources, SOURCES_PER_CONNECTION * connection_count, seed) != BATON_OK) {
        pool_clear(pool);
        return BATON_NO_MEMORY;
    }
    pool->starved =
        shortage_make(STARVED_RETRY_MS, STARVED_RETRY_MS, token_make(POOL_TOKEN_STARVED, 0, 0));
    pool->pause.token = token_make(POOL_TOKEN_COMMON_PAUSE, 0, 0);
    pool->most_count = connection_count;
    pool_know_processors(pool, 1);
    pool->numbers_key = seed;
    pool->trial = pool_trial_make(token_make(POOL_TOKEN_COMMON_TRIAL, 0, 0));
    pool->wanting_first = SLOT_NONE;
    pool->wanting_last = SLOT_NONE;
    return BATON_OK;
}

void pool_know_processors(struct pool *pool, uint32_t processors_count) {
    uint32_t count = processors_count;
    count = count > POOL_LAUNCHES_LEAST_COUNT ? count : POOL_LAUNCHES_LEAST_COUNT;
    count = count < POOL_LAUNCHES_FIRST_MOST_COUNT ? count : POOL_LAUNCHES_FIRST_MOST_COUNT;
    pool->launches_first_count = count;
}

void pool_clear(struct pool *pool) {
    pool_clear_ring(pool);
    free(pool->services);
    free(pool->connections);
    free(pool->processes);
    free(pool->texts);
    slots_clear(&pool->connection_slots);
    slots_clear(&pool->process_slots);
    sources_clear(&pool->sources);
    memset(pool, 0, sizeof *pool);
}

const struct service *pool_service_of(const struct pool *pool, uint32_t service) {
    return services_get(pool->registry, service);
}
