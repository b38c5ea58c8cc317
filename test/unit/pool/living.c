#include "living.h"

struct pool_scene scene;
struct pool *const pool = &scene.pool;
struct pool_service *served;
static const struct pool_words silence = {0};
uint64_t now_us;
uint32_t counts[POOL_ACTION_KINDS_COUNT];

struct service usual(void) {
    return (struct service){.name = "s",
                            .has_channel = true,
                            .max_connections_count = 200,
                            .attempts_count = 2,
                            .reuse_count = 0,
                            .handshake_timeout_ms = HANDSHAKE_US / 1000,
                            .stop_timeout_ms = STOP_US / 1000};
}

void begin(struct service first, struct service second) {
    const struct service services[2] = {first, second};
    now_us = SECOND_US;
    memset(counts, 0, sizeof counts);
    pool_scene_begin(&scene, services, 2);
    served = &pool->services[0];
}

void spare(struct service *service, uint32_t count, uint32_t min_count, uint32_t max_count) {
    service->spares_count = count;
    service->spares_min_count = min_count;
    service->spares_max_count = max_count;
}

struct pool *at_now(void) {
    return pool_at(pool, now_us);
}

void take_all(void) {
    pool_scene_take_all(&scene, counts, now_us);
}

uint32_t arrive(void) {
    struct pool_arrival arrival = {.peer = {.family = ADDRESS_IPV4},
                                   .local = {.family = ADDRESS_IPV4}};
    uint32_t connection = pool_accept(at_now(), &arrival);
    take_all();
    return connection;
}

void hello(uint32_t process, uint32_t capacity_count) {
    assert_true(pool_hello(at_now(), process, 1000 + process, capacity_count));
    take_all();
}

void ack(uint32_t process) {
    assert_true(pool_ack(at_now(), process, pool->processes[process].offer, &silence));
    take_all();
}

void done(uint32_t process, uint32_t connection) {
    assert_true(pool_done(at_now(), process, connection, &silence));
    take_all();
}

void leave(uint32_t process) {
    pool_exiting(at_now(), process);
    pool_exited(at_now(), process, (struct pool_exit){0}, NULL);
    take_all();
}

void leave_all(void) {
    SLOTS_EACH(process, &pool->process_slots) {
        leave(process);
    }
}

void pass(uint64_t delay_us) {
    uint64_t until_us = now_us + delay_us;
    while (timers_next_us(&scene.timers) <= until_us) {
        now_us = timers_next_us(&scene.timers);
        pool_scene_tick(&scene, now_us);
        take_all();
    }
    now_us = until_us;
}

bool refill(void) {
    bool more = pool_refill(at_now());
    take_all();
    return more;
}

void end(void) {
    pool_stop(at_now());
    take_all();
    while (!pool_is_empty(pool)) {
        leave_all();
    }
    assert_int_equal(timers_next_us(&scene.timers), TIMERS_NEVER);
    pool_scene_end(&scene);
}

uint32_t spare_of(uint32_t capacity_count) {
    uint32_t before = counts[POOL_LAUNCH];
    refill();
    assert_int_equal(counts[POOL_LAUNCH], before + 1);
    uint32_t process = pool->process_slots.used_mark - 1;
    hello(process, capacity_count);
    return process;
}
