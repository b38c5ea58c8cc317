#include "living.h"

struct pool_scene living_scene;
static struct pool *const pool = &living_scene.pool;
struct pool_service *living_served;
static const struct pool_words silence = {0};
uint64_t living_now_us;
uint32_t living_counts[POOL_ACTION_KINDS_COUNT];

struct service living_usual(void) {
    return (struct service){.name = "s",
                            .has_channel = true,
                            .max_connections_count = 200,
                            .attempts_count = 2,
                            .reuse_count = 0,
                            .handshake_timeout_ms = HANDSHAKE_US / 1000,
                            .stop_timeout_ms = STOP_US / 1000};
}

void living_begin(struct service first, struct service second) {
    const struct service services[2] = {first, second};
    living_now_us = SECOND_US;
    memset(living_counts, 0, sizeof living_counts);
    pool_scene_begin(&living_scene, services, 2);
    living_served = &pool->services[0];
}

void living_spare(struct service *service, uint32_t count, uint32_t min_count, uint32_t max_count) {
    service->spares_count = count;
    service->spares_min_count = min_count;
    service->spares_max_count = max_count;
}

struct pool *living_at_now(void) {
    return pool_at(pool, living_now_us);
}

void living_take_all(void) {
    pool_scene_take_all(&living_scene, living_counts, living_now_us);
}

uint32_t living_arrive(void) {
    struct pool_arrival arrival = {.peer = {.family = ADDRESS_IPV4},
                                   .local = {.family = ADDRESS_IPV4}};
    uint32_t connection = pool_accept(living_at_now(), &arrival);
    living_take_all();
    return connection;
}

void living_hello(uint32_t process, uint32_t capacity_count) {
    assert_true(pool_hello(living_at_now(), process, 1000 + process, capacity_count));
    living_take_all();
}

void living_ack(uint32_t process) {
    assert_true(pool_ack(living_at_now(), process, pool->processes[process].offer, &silence));
    living_take_all();
}

void living_done(uint32_t process, uint32_t connection) {
    assert_true(pool_done(living_at_now(), process, connection, &silence));
    living_take_all();
}

void living_leave(uint32_t process) {
    pool_exiting(living_at_now(), process);
    pool_exited(living_at_now(), process, (struct pool_exit){0}, NULL);
    living_take_all();
}

void living_leave_all(void) {
    SLOTS_EACH(process, &pool->process_slots) {
        living_leave(process);
    }
}

void living_pass(uint64_t delay_us) {
    uint64_t until_us = living_now_us + delay_us;
    while (timers_next_us(&living_scene.timers) <= until_us) {
        living_now_us = timers_next_us(&living_scene.timers);
        pool_scene_tick(&living_scene, living_now_us);
        living_take_all();
    }
    living_now_us = until_us;
}

bool living_refill(void) {
    bool more = pool_refill(living_at_now());
    living_take_all();
    return more;
}

void living_end(void) {
    pool_stop(living_at_now());
    living_take_all();
    while (!pool_is_empty(pool)) {
        living_leave_all();
    }
    assert_int_equal(timers_next_us(&living_scene.timers), TIMERS_NEVER);
    pool_scene_end(&living_scene);
}

uint32_t living_spare_of(uint32_t capacity_count) {
    uint32_t before = living_counts[POOL_LAUNCH];
    living_refill();
    assert_int_equal(living_counts[POOL_LAUNCH], before + 1);
    uint32_t process = pool->process_slots.used_mark - 1;
    living_hello(process, capacity_count);
    return process;
}
