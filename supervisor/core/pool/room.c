/* Whether a service may accept one more, and who is told when it may again. */
#include "core/pool/internal.h"

bool pool_has_room(const struct pool *pool, uint32_t service) {
    const struct pool_service *s = &pool->services[service];
    return !pool->stopping && !s->retired && !timer_is_set(&s->pause) &&
           !shortage_lasts(&s->shortage) &&
           s->live_count < pool_service_of(pool, service)->max_connections_count &&
           pool->connection_slots.in_use_count < pool->connection_slots.count;
}

void pool_await_room(struct pool *pool, uint32_t service) {
    pool->services[service].wants_room = true;
}

void pool_tell_room(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    if (s->wants_room && pool_has_room(pool, service)) {
        s->wants_room = false;
        pool_push_service(pool, POOL_ROOM, service);
    }
}

void pool_tell_room_in_table(struct pool *pool) {
    SLOTS_EACH(service, &pool->registry->slots) {
        pool_tell_room(pool, service);
    }
}
