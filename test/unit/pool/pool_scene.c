#include "pool_scene.h"

#include "core/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CONNECTIONS_COUNT 1024u

void pool_scene_begin_pool(struct pool_scene *scene) {
    assert_int_equal(timers_init(&scene->timers, POOL_TIMERS_COUNT(CONNECTIONS_COUNT)), BATON_OK);
    assert_int_equal(
        pool_init(&scene->pool, &scene->services, &scene->timers, 7, CONNECTIONS_COUNT), BATON_OK);
}

void pool_scene_begin(struct pool_scene *scene, const struct service *services, uint32_t count) {
    assert_int_equal(services_init(&scene->services), BATON_OK);
    pool_scene_begin_pool(scene);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(services_add(&scene->services, &services[i]), i);
        pool_add_service(&scene->pool, i);
        services_release(&scene->services, i);
    }
}

void pool_scene_begin_two(struct pool_scene *scene, uint32_t max_connections_count,
                          uint32_t reuse_count) {
    struct service services[2];
    for (size_t i = 0; i < 2; i++) {
        services[i] = (struct service){.name = "s",
                                       .has_channel = true,
                                       .max_connections_count = max_connections_count,
                                       .attempts_count = 2,
                                       .reuse_count = reuse_count,
                                       .handshake_timeout_ms = POOL_SCENE_HANDSHAKE_US / 1000,
                                       .stop_timeout_ms = POOL_SCENE_STOP_US / 1000};
    }
    pool_scene_begin(scene, services, 2);
}

uint32_t pool_scene_accept(struct pool_scene *scene, uint32_t service, uint64_t now_us) {
    static const struct address somewhere = {.family = ADDRESS_IPV4};
    struct pool_arrival arrival = {
        .service = service, .peer = somewhere, .local = somewhere, .wall_us = (int64_t)now_us};
    return pool_accept(pool_at(&scene->pool, now_us), &arrival);
}

void pool_scene_end(struct pool_scene *scene) {
    pool_clear(&scene->pool);
    timers_clear(&scene->timers);
    services_clear(&scene->services);
}

struct service *pool_scene_rules(struct pool_scene *scene, uint32_t service) {
    return scene->services.entries[service];
}

void pool_scene_tick(struct pool_scene *scene, uint64_t now_us) {
    struct timer *timer = timers_expired(&scene->timers, now_us);
    for (; timer != NULL; timer = timers_expired(&scene->timers, now_us)) {
        pool_expired(pool_at(&scene->pool, now_us), timer->token);
    }
}

static void carry_out(struct pool *pool, const struct pool_action *action, uint64_t now_us) {
    switch (action->kind) {
    case POOL_LAUNCH:
        pool_launched(pool_at(pool, now_us), action->process, 1000 + action->process);
        break;
    case POOL_RECORD:
        if (!pool->connections[action->connection].is_activation) {
            pool_forget(pool, action->connection);
        }
        break;
    case POOL_GIVE_BACK:
        pool_forget(pool, action->connection);
        break;
    case POOL_CLOSE_PROCESS:
        pool_reaped(pool_at(pool, now_us), action->process);
        break;
    case POOL_SERVICE_OVER:
        pool_remove_service(pool, action->service);
        break;
    default:
        break;
    }
}

void pool_scene_take_all(struct pool_scene *scene, uint32_t counts[POOL_ACTION_KINDS_COUNT],
                         uint64_t now_us) {
    struct pool_action action;
    while (pool_next_action(&scene->pool, &action)) {
        counts[action.kind]++;
        carry_out(&scene->pool, &action, now_us);
    }
}
