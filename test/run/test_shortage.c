/* Calls that fail: what is short for a while, what is wrong for good, and the start. */
#include "scene.h"

#include <string.h>

static void assert_last_word_is_resumed(const char *event) {
    uint32_t paused_count = lines_count(event);
    uint32_t resumed_count = lines_count("accept_resumed");
    assert_true(paused_count > 0 && resumed_count > 0);
    assert_true(lines_find("accept_resumed", resumed_count - 1) >
                lines_find(event, paused_count - 1));
}

static void run(struct scene *scene) {
    scene_run(scene);
    assert_true(fake_wait_count() < 400);
}

/* ---- Launching ---- */

static void test_launch_errors_cost_an_attempt(void **state) {
    (void)state;
    static const int codes[] = {BATON_NOT_FOUND, BATON_NOT_EXECUTABLE, BATON_DENIED, BATON_SYSTEM};
    for (size_t i = 0; i < 4; i++) {
        for (uint32_t count = 1; count <= 2; count++) {
            struct scene scene;
            scene_stage(&scene, &play_good, NULL);
            fake_fail(FAKE_LAUNCH, codes[i], count);
            run(&scene);
            assert_record(1, count == 1 ? "served" : "launch_failed", "2");
            assert_int_equal(lines_count("launch_failed"), count);
            assert_int_equal(fake_process_count(), count == 1 ? 1 : 0);
            scene_clear(&scene);
        }
    }
}

/* A crash, then a launch that fails: the record tells of the last attempt, not of the first. */
static bool crash_then_not_found(struct scene *s) {
    SCENE_BEGIN(s);
    fake_fail(FAKE_LAUNCH, BATON_NOT_FOUND, 1);
    ACTS(s, 0, ACT_HELLO);
    scene_act(s, 0, ACT_CRASH);
    SCENE_END(s);
}

static void test_record_is_of_the_last_attempt(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, crash_then_not_found);
    run(&scene);
    assert_record(1, "launch_failed", "2");
    assert_false(lines_has(lines_record(1), "signal"));
    assert_false(lines_has(lines_record(1), "pid"));
    assert_false(lines_has(lines_record(1), "launch_us"));
    scene_clear(&scene);
}

static void test_launch_shortage_costs_nothing(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 2, 5, 20};
    for (size_t i = 0; i < 4; i++) {
        struct scene scene;
        scene_init(&scene);
        scene.services[0].attempts_count = 1;
        scene.client_count = 5;
        fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, counts[i]);
        run(&scene);
        assert_records(1, 5, "served", "1");
        assert_last_word_is_resumed("accept_paused");
        scene_clear(&scene);
    }
}

/* Those who are told why they are refused have what one who is to be served lacks. */
static bool refused_and_short(struct scene *s) {
    SCENE_BEGIN(s);
    assert_true(fake_client(1)->supervisor_has && fake_client(1)->got_end);
    assert_true(fake_client(2)->supervisor_has && fake_client(2)->got_end);
    fake_fail(FAKE_ACCEPT, BATON_SHORTAGE, 1);
    CONNECT(s);
    assert_false(fake_client(1)->supervisor_has || fake_client(2)->supervisor_has);
    assert_int_equal(lines_count("accept_paused"), 1);
    ACTS(s, 0, ACT_EXIT);
    JUMP(s);
    ACTS(s, 1, ACT_EXIT);
    SCENE_END(s);
}

static void test_refused_clients_make_room(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, refused_and_short);
    scene_mode(&scene, 0, HANDOFF_STDIO, PROTOCOL_TCP, false);
    scene.client_count = 3;
    scene.services[0].max_connections_count = 1;
    scene.services[0].limits.when_full = WHEN_FULL_REFUSE;
    scene.services[0].refuse_message = "no";
    run(&scene);
    assert_records(2, 3, "refused_full", "0");
    assert_record(1, "served", "1");
    assert_record(4, "served", "1");
    scene_clear(&scene);
}

/* It is over, and nobody comes who would show it: the log's last word is not that it lasts. */
static bool nobody_comes(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(lines_count("accept_paused"), 1);
    JUMP(s); /* the client is taken, too soon for a line to say so */
    assert_record(1, "served", "1");
    assert_int_equal(lines_count("accept_resumed"), 0);
    JUMP(s);
    assert_int_equal(lines_count("accept_resumed"), 1);
    assert_true(s->deadline_us == UINT64_MAX);
    SCENE_END(s);
}

static void test_the_end_of_a_shortage_is_told(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_good, nobody_comes);
    fake_fail(FAKE_ACCEPT, BATON_SHORTAGE, 1);
    run(&scene);
    scene_clear(&scene);
}

/* Who came first is launched for first, however often all had to wait. */
static bool order(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 5; s->number++) {
        JUMP(s);
    }
    fake_fail(FAKE_LAUNCH, BATON_OK, 0);
    JUMP(s);
    assert_int_equal(fake_process_count(), 5);
    for (s->number = 0; s->number < 5; s->number++) {
        scene_actor(s, s->number)->play = &play_good;
        LOOK(s);
        assert_int_equal(lines_count("connection"), s->number + 1);
        assert_record(s->number + 1, "served", "1");
    }
    SCENE_END(s);
}

static void test_shortage_keeps_the_order(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, order);
    scene.client_count = 5;
    fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, FAKE_ALWAYS);
    run(&scene);
    scene_clear(&scene);
}

static void test_stop_when_starved(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_good, scene_stop_late);
    scene.client_count = 3;
    fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, FAKE_ALWAYS);
    run(&scene);
    assert_int_equal(lines_count("connection"), 1); /* accepting pauses with the first */
    assert_record(1, "drained", "0");
    scene_clear(&scene);
}

/* ---- Accepting ---- */

/* A shortage is everybody's, any other fault the listener's own. */
static void test_accept_fails(void **state) {
    (void)state;
    static const int codes[] = {BATON_SHORTAGE, BATON_SYSTEM};
    static const char *const events[] = {"accept_paused", "accept_failed"};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t count = 1; count <= 8; count++) {
            struct scene scene;
            scene_init(&scene);
            scene.client_count = 3;
            fake_fail(FAKE_ACCEPT, codes[i], count);
            run(&scene);
            assert_records(1, 3, "served", "1");
            assert_true(fake_call_count(FAKE_ACCEPT) <= count + 8);
            assert_true(lines_count(events[i]) >= 1);
            assert_int_equal(lines_count(events[1 - i]), 0);
            assert_last_word_is_resumed(events[i]);
            scene_clear(&scene);
        }
    }
}

/* Something is freed: accepting goes on without waiting for the timer. */
static bool freed(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    fake_fail(FAKE_ACCEPT, BATON_SHORTAGE, 1);
    CONNECT(s);
    assert_int_equal(s->deadline_us - fake_now_us(), 50000);
    assert_int_equal(fake_client(1)->accepted_number, 0);
    ACTS(s, 0, ACT_ACK);
    assert_int_equal(fake_client(1)->accepted_number, 2);
    assert_int_equal(fake_now_us(), FAKE_START_US);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_accepting_resumes_when_something_is_freed(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, freed);
    scene_play(&scene, &play_good);
    run(&scene);
    scene_clear(&scene);
}

static void test_client_gone_before_accept(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene.client_count = 3;
    fake_fail(FAKE_ACCEPT, BATON_GONE, 2);
    run(&scene);
    assert_record(1, "served", "1");
    assert_int_equal(lines_count("connection"), 1);
    scene_clear(&scene);
}

/* ---- max_connections ---- */

static bool full(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 2);
    assert_int_equal(fake_client(2)->accepted_number, 0);
    s->count = (uint32_t)fake_wait_count();
    LOOK(s);
    assert_true(fake_wait_count() <= s->count + 1);
    /* The other service is not concerned. */
    fake_connect(SCENE_PORT + 1);
    LOOK(s);
    assert_int_equal(fake_process_count(), 3);
    ACTS(s, 0, ACT_CRASH);
    /* An attempt was lost, no place was freed. */
    assert_int_equal(fake_client(2)->accepted_number, 0);
    ACTS(s, 3, ACT_CRASH);
    assert_record(1, "crashed", "2");
    assert_int_not_equal(fake_client(2)->accepted_number, 0);
    assert_int_equal(fake_client(3)->accepted_number, 0);
    for (s->number = 0; s->number < fake_process_count(); s->number++) {
        scene_actor(s, s->number)->play = &play_good;
    }
    s->plays[0] = &play_good;
    s->play_count = 1;
    SCENE_END(s);
}

static void test_max_connections(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, full);
    scene.client_count = 4;
    scene.service_count = 2;
    scene.services[0].max_connections_count = 2;
    run(&scene);
    assert_records(2, 5, "served", "1");
    scene_clear(&scene);
}

/* ---- Offers ---- */

static void test_offer_errors(void **state) {
    (void)state;
    static const struct {
        enum fake_call call;
        int code;
        const char *attempts;
    } ways[] = {{FAKE_EXPORT, BATON_GONE, "2"},     {FAKE_EXPORT, BATON_SYSTEM, "2"},
                {FAKE_EXPORT, BATON_SHORTAGE, "1"}, {FAKE_SEND, BATON_GONE, "2"},
                {FAKE_SEND, BATON_SYSTEM, "2"},     {FAKE_SEND, BATON_SHORTAGE, "1"}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct scene scene;
        scene_stage(&scene, &play_good, NULL);
        fake_offers_late(true);
        fake_fail(ways[i].call, ways[i].code, 1);
        run(&scene);
        assert_record(1, "served", ways[i].attempts);
        scene_clear(&scene);
    }
}

/* It has no time to say ACK in before it has been sent. */
static void test_an_offer_waits_for_what_is_short(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_good, NULL);
    fake_offers_late(true);
    fake_fail(FAKE_SEND, BATON_SHORTAGE, 200); /* 20 s, of which the handshake has 5 */
    run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static bool channel_full(struct scene *s) {
    SCENE_BEGIN(s);
    fake_handler_set_full(0, true);
    ACTS(s, 0, ACT_HELLO);
    assert_int_equal(scene_listen(s, 0)->offer_count, 0);
    if (s->number == 1) {
        fake_reset(0);
    } else if (s->number == 2) {
        JUMP(s); /* it never gets room: the deadline of the offer holds */
        assert_int_equal(fake_process(0)->kill_count, 1);
        s->line = -1;
        return true;
    }
    fake_handler_set_full(0, false);
    LOOK(s);
    if (s->number == 0) {
        scene_act(s, 0, ACT_ACK);
        scene_act(s, 0, ACT_DONE);
        LOOK(s);
    }
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_channel_without_room(void **state) {
    (void)state;
    static const char *const outcomes[] = {"served", "abandoned", "served"};
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, channel_full);
        fake_offers_late(true);
        scene_play(&scene, &play_good);
        scene.number = way;
        run(&scene);
        assert_record(1, outcomes[way], way == 2 ? "2" : "1");
        scene_clear(&scene);
    }
}

/* ---- Binding, and the start ---- */

static bool bind_times(struct scene *s) {
    static const uint32_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 8; s->number++) {
        assert_int_equal(lines_count("listening"), 1);
        assert_int_equal(lines_count("ready"), 0);
        assert_int_equal(s->deadline_us - fake_now_us(), waits_ms[s->number] * 1000);
        /* The service that is open goes on. */
        fake_connect(SCENE_PORT + 1);
        LOOK(s);
        assert_record(s->number + 1, "served", "1");
        if (s->number == 7) {
            fake_fail(FAKE_LISTEN, BATON_OK, 0);
        }
        JUMP(s);
    }
    assert_int_equal(lines_count("listen_failed"), 8);
    assert_int_equal(lines_count("listening"), 2);
    assert_int_equal(lines_count("ready"), 1);
    fake_connect(SCENE_PORT);
    SCENE_END(s);
}

static bool bind_first_fails(struct scene *s) {
    fake_fail(FAKE_LISTEN, BATON_IN_USE, FAKE_ALWAYS);
    s->script = bind_times;
    return bind_times(s);
}

static void test_bind_is_retried(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene.service_count = 2;
    scene.script = bind_first_fails;
    fake_fail(FAKE_LISTEN, BATON_IN_USE, 1);
    scene_run(&scene);
    assert_record(9, "served", "1");
    assert_non_null(strstr(lines_find("listen_failed", 0), "address=127.0.0.1:7001"));
    scene_clear(&scene);
}

static bool stop_before_ready(struct scene *s) {
    SCENE_BEGIN(s);
    scene_stop(s);
    SCENE_END(s);
}

static void test_stop_while_a_bind_is_retried(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene.service_count = 2;
    scene.script = stop_before_ready;
    fake_fail(FAKE_LISTEN, BATON_IN_USE, 1);
    run(&scene);
    assert_int_equal(fake_now_us(), FAKE_START_US);
    scene_clear(&scene);
}

static void test_no_start(void **state) {
    (void)state;
    static const enum fake_call calls[] = {FAKE_OPEN, FAKE_LOG_OPEN, FAKE_PROGRAM, FAKE_OUTPUT,
                                           FAKE_LISTEN};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct scene scene;
        struct fake_left left;
        struct fake_left none = {0};
        scene_init(&scene);
        scene.service_count = 2;
        fake_fail(calls[i], BATON_DENIED, FAKE_ALWAYS);
        scene_try(&scene);
        assert_int_equal(scene.result, SUPERVISOR_NO_START);
        assert_null(fake_misuse());
        left = fake_left();
        assert_memory_equal(&left, &none, sizeof left);
        assert_true(strlen(fake_log()) + strlen(fake_printed()) > 0);
        scene_clear(&scene);
    }
}

static void test_waiting_fails(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    fake_fail(FAKE_WAIT, BATON_SYSTEM, 1);
    scene_try(&scene);
    assert_int_equal(scene.result, SUPERVISOR_BROKEN);
    assert_int_equal(lines_count("broken"), 1);
    assert_int_equal(fake_left().listener_count, 0);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launch_errors_cost_an_attempt),
        cmocka_unit_test(test_record_is_of_the_last_attempt),
        cmocka_unit_test(test_launch_shortage_costs_nothing),
        cmocka_unit_test(test_refused_clients_make_room),
        cmocka_unit_test(test_shortage_keeps_the_order),
        cmocka_unit_test(test_stop_when_starved),
        cmocka_unit_test(test_the_end_of_a_shortage_is_told),
        cmocka_unit_test(test_accept_fails),
        cmocka_unit_test(test_accepting_resumes_when_something_is_freed),
        cmocka_unit_test(test_client_gone_before_accept),
        cmocka_unit_test(test_max_connections),
        cmocka_unit_test(test_offer_errors),
        cmocka_unit_test(test_an_offer_waits_for_what_is_short),
        cmocka_unit_test(test_channel_without_room),
        cmocka_unit_test(test_bind_is_retried),
        cmocka_unit_test(test_stop_while_a_bind_is_retried),
        cmocka_unit_test(test_no_start),
        cmocka_unit_test(test_waiting_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
