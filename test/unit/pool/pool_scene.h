/* The pool with what it stands on: services, a heap of timers, a clock of the test's. */
#ifndef BATON_TEST_POOL_SCENE_H
#define BATON_TEST_POOL_SCENE_H

#include "core/pool/pool.h"

struct pool_scene {
    struct services services;
    struct timers timers;
    struct pool pool;
};

/* `pool` at that time: when what it is told of happened. */
static inline struct pool *pool_at(struct pool *pool, uint64_t now_us) {
    pool->timers->now_us = now_us;
    return pool;
}

/* Begins with these services, in slots 0, 1, ...; ends the test if that cannot be. */
void pool_scene_begin(struct pool_scene *scene, const struct service *services, uint32_t count);
/* The pool and its timers alone, over the services that are there. */
void pool_scene_begin_pool(struct pool_scene *scene);
void pool_scene_end(struct pool_scene *scene);

#define POOL_SCENE_HANDSHAKE_US 5000000u
#define POOL_SCENE_STOP_US 3000000u
/* The same with two services alike that have a channel, two attempts and these times. */
void pool_scene_begin_two(struct pool_scene *scene, uint32_t max_connections_count,
                          uint32_t reuse_count);

/* A client of IPv4 comes; returns its slot. */
uint32_t pool_scene_accept(struct pool_scene *scene, uint32_t service, uint64_t now_us);

/* The rules of a service, for a test that changes them. */
struct service *pool_scene_rules(struct pool_scene *scene, uint32_t service);

/* Lets the time pass: every deadline up to `now_us`. */
void pool_scene_tick(struct pool_scene *scene, uint64_t now_us);

/* Takes all actions; the records are written, the processes closed, the services let go. Counts by
 * kind. */
void pool_scene_take_all(struct pool_scene *scene, uint32_t counts[POOL_ACTION_KINDS_COUNT],
                         uint64_t now_us);

#endif
