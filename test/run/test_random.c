/*
 * Random worlds: clients, handlers, failing calls, a slow log and the clock, all drawn from a seed.
 * Whatever happens, what scene_check() says holds at the end.
 *
 * `test_run_random SEED` plays that one seed and prints its log; `test_run_random SEED COUNT` plays
 * as many from that one on.
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_COUNT 400
#define STEP_COUNT 250
#define CLIENT_COUNT 60u

static uint64_t state;
static uint32_t steps_left;
static uint32_t oddness; /* one act in this many is anything */

static uint32_t draw(uint32_t below) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* Mostly what a good handler does next, sometimes anything. */
static enum act draw_act(const struct actor *actor) {
    static const enum act odd[] = {ACT_HELLO_WRONG_NONCE,
                                   ACT_HELLO_STRANGER,
                                   ACT_HELLO_FOREIGN,
                                   ACT_ACK_UNKNOWN,
                                   ACT_NACK_UNKNOWN,
                                   ACT_DONE_UNKNOWN,
                                   ACT_DONE_OFFERED,
                                   ACT_GARBAGE,
                                   ACT_OFFER,
                                   ACT_TORN,
                                   ACT_TOO_LONG,
                                   ACT_BROKEN,
                                   ACT_CLOSE_CHANNEL,
                                   ACT_EXIT,
                                   ACT_EXIT_3,
                                   ACT_CRASH,
                                   ACT_HELLO,
                                   ACT_RETIRE,
                                   ACT_OPTIONAL,
                                   ACT_DONE_BAD};
    static const enum act declines[] = {ACT_NACK_BUSY, ACT_NACK_RETIRE, ACT_NACK_REFUSE};
    if (draw(oddness) == 0) {
        return odd[draw(sizeof odd / sizeof *odd)];
    }
    if (!actor->greeted) {
        return draw(2) == 0 ? ACT_HELLO : ACT_HELLO_WIDE;
    }
    if (actor->offered != 0) {
        return draw(6) == 0 ? declines[draw(3)] : ACT_ACK;
    }
    if (actor->held_count > 0) {
        return draw(5) == 0 ? ACT_DONE_TEXT : ACT_DONE;
    }
    return actor->drained ? ACT_EXIT : ACT_OPTIONAL;
}

static void act(struct scene *scene) {
    uint32_t count = fake_process_count();
    uint32_t process = count == 0 ? 0 : draw(count);
    /* The last ones are more likely to live. */
    if (count > 8 && draw(4) != 0) {
        process = count - 1 - draw(8);
    }
    if (count == 0 || !fake_process(process)->is_alive) {
        return;
    }
    struct actor *actor = scene_actor(scene, process);
    actor_listen(actor, process);
    actor_act(actor, process, draw_act(actor));
    if (draw(6) == 0 && fake_process(process)->is_alive) {
        fake_handler_write(process, 0, "some words\nand a part", 11 + draw(10));
    }
}

static void fail_a_call(void) {
    static const struct {
        enum fake_call call;
        int code;
    } ways[] = {{FAKE_LAUNCH, BATON_NOT_FOUND}, {FAKE_LAUNCH, BATON_SHORTAGE},
                {FAKE_ACCEPT, BATON_SHORTAGE},  {FAKE_ACCEPT, BATON_GONE},
                {FAKE_EXPORT, BATON_GONE},      {FAKE_EXPORT, BATON_SHORTAGE},
                {FAKE_SEND, BATON_GONE},        {FAKE_SEND, BATON_SHORTAGE},
                {FAKE_RANDOM, BATON_SYSTEM},    {FAKE_SEND, BATON_SYSTEM}};
    size_t way = draw(sizeof ways / sizeof *ways);
    fake_fail(ways[way].call, ways[way].code, 1 + draw(4));
}

/* Events that come in vain, or too late. */
static void inject(uint32_t process) {
    static const enum platform_event_kind kinds[] = {PLATFORM_EVENT_CHANNEL,
                                                     PLATFORM_EVENT_WRITABLE, PLATFORM_EVENT_EXIT};
    fake_inject(kinds[draw(fake_process(process)->is_closed ? 3 : 2)],
                fake_process(process)->token);
}

static void change(struct scene *scene) {
    uint32_t process = fake_process_count() == 0 ? 0 : draw(fake_process_count());
    switch (draw(16)) {
    case 0:
    case 1:
    case 2:
        if (fake_client_count() < CLIENT_COUNT) {
            fake_connect((uint16_t)(SCENE_PORT + draw(2)));
        }
        break;
    case 3:
        if (fake_client_count() > 0 && draw(3) == 0) {
            fake_reset(draw(fake_client_count()));
        }
        break;
    case 4:
        if (draw(3) == 0) {
            fail_a_call();
        }
        break;
    case 5:
        fake_advance_us(draw(2) == 0 ? draw(1000) : draw(2000000));
        break;
    case 6:
        fake_log_set_room(draw(3) == 0 ? draw(2000) : SIZE_MAX);
        break;
    case 7:
        if (fake_process_count() > 0) {
            fake_handler_set_full(process, draw(3) == 0);
            inject(process);
        }
        break;
    default:
        act(scene);
    }
}

static bool drawn(struct scene *scene) {
    if (steps_left == 0) {
        scene->line = -1;
        fake_log_set_room(SIZE_MAX);
        scene_stop(scene);
        return true;
    }
    steps_left--;
    for (uint32_t i = 1 + draw(4); i > 0; i--) {
        change(scene);
    }
    if (draw(300) == 0) {
        fake_stop();
    }
    /* Sometimes the clock jumps to the deadline. */
    return draw(12) != 0 || scene->deadline_us == UINT64_MAX;
}

static void play(uint64_t seed, bool print) {
    struct scene scene;
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    steps_left = STEP_COUNT;
    oddness = 8u << draw(5);
    scene_init(&scene);
    scene.service_count = 2;
    scene.services[0].reuse_count = 1 + draw(6);
    scene.services[0].max_connections_count = 1 + draw(8);
    scene.services[0].attempts_count = 1 + draw(3);
    scene_play(&scene, draw(2) == 0 ? &play_deaf : &play_puppet);
    scene.script = drawn;
    fake_shuffle(draw(2) == 0 ? 0 : seed + 1);
    fake_as_on_windows(draw(2) == 0);
    scene_try(&scene);
    if (print) {
        fputs(fake_log(), stdout);
    }
    scene_check(&scene);
    scene_clear(&scene);
}

static uint64_t first_seed = 1;
static uint64_t seed_count = SEED_COUNT;
static uint64_t seed_now;

static int tell_seed(void **unused) {
    (void)unused;
    print_message("seed: %llu\n", (unsigned long long)seed_now);
    return 0;
}

static void test_random_worlds(void **unused) {
    (void)unused;
    for (seed_now = first_seed; seed_now < first_seed + seed_count; seed_now++) {
        play(seed_now, seed_count == 1);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_worlds, tell_seed),
    };
    if (argc > 1) {
        first_seed = strtoull(argv[1], NULL, 10);
        seed_count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
