/*
 * Random worlds: hand-off modes, clients, handlers, failing calls, a slow log and the clock, all
 * drawn from a seed. Whatever happens, what scene_check() says holds at the end; and what goes
 * through a relay arrives as it was sent.
 *
 * `test_run_random SEED` plays that one seed and prints its log; `test_run_random SEED COUNT` plays
 * as many from that one on. With BATON_TEST_RESTARTS batond is restarted now and then; the memory
 * of those before is not given back.
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_COUNT 400
#define SEED_COUNT_ALL 2000 /* with BATON_ALL=1 */
#define STEP_COUNT 250
#define CLIENT_COUNT 60u

#define PROCESS_COUNT 4096u

static uint64_t state;
static uint32_t steps_left;
static bool is_stopping;
static bool hasty;
static bool restarts;
static uint64_t restarts_count;
static uint32_t oddness; /* one act in this many is anything */

/* A client sends a header, where its service wants one, and then text_at(0), text_at(1), ... */
static struct {
    char header[64];
    size_t header_bytes, sent_bytes;
    bool finished;
} clients[CLIENT_COUNT];
static size_t written_bytes[PROCESS_COUNT]; /* by programs behind pipes, of the same text */
static bool all_was_heard[PROCESS_COUNT];   /* nobody closed its output before its end */

static uint8_t text_at(size_t at) {
    return (uint8_t)(at * 31 + (at >> 8) * 7);
}

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

/* ---- Handlers without a channel ---- */

static void read_and_check(struct actor *actor, uint32_t process) {
    uint8_t bytes[3000];
    size_t length = 0;
    size_t most_bytes = 1 + draw(sizeof bytes);
    if (fake_program_read(process, bytes, most_bytes, &length) != BATON_OK) {
        return;
    }
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(bytes[i], text_at(actor->read_bytes++));
    }
}

static void write_text(uint32_t process) {
    uint8_t bytes[20000];
    size_t length = 1 + draw(draw(5) == 0 ? sizeof bytes : 500);
    for (size_t i = 0; i < length; i++) {
        bytes[i] = text_at(written_bytes[process] + i);
    }
    if (fake_program_write(process, bytes, length)) {
        written_bytes[process] += length;
    } else {
        all_was_heard[process] = false;
    }
}

static enum act draw_end(void) {
    static const enum act ends[] = {ACT_EXIT, ACT_EXIT, ACT_EXIT, ACT_EXIT_3, ACT_CRASH};
    return ends[draw(sizeof ends / sizeof *ends)];
}

static void act_at_pipes(struct actor *actor, uint32_t process) {
    static const enum act odd[] = {ACT_CLOSE_INPUT, ACT_CLOSE_OUTPUT, ACT_LEAVE_PIPES};
    if (draw(oddness) == 0) {
        actor_act(actor, process, odd[draw(3)]);
    } else if (draw(8) == 0) {
        actor_act(actor, process, draw_end());
    } else if (draw(2) == 0) {
        read_and_check(actor, process);
    } else {
        write_text(process);
    }
}

static void act_alone(struct actor *actor, uint32_t process) {
    if (fake_process(process)->streams == PLATFORM_STREAMS_PIPES) {
        act_at_pipes(actor, process);
    } else if (draw(4) == 0) {
        actor_act(actor, process, draw_end());
    } else if (fake_process(process)->streams == PLATFORM_STREAMS_LISTENERS) {
        actor_act(actor, process, draw(2) == 0 ? ACT_TAKE : ACT_TAKE_ALL);
    }
}

/* An answer to any connection, whether or not it was offered: most likely a breach. */
static void guess(struct actor *actor, uint32_t process) {
    static const uint8_t types[] = {WIRE_ACK, WIRE_DONE, WIRE_ACK, WIRE_ACK};
    struct wire_message message = {.type = types[draw(4)],
                                   .connection = (1 + draw(4)) << 15 | draw(6),
                                   .reason = (uint8_t)(1 + draw(3))};
    uint8_t frame[64];
    long length = wire_encode(&message, frame, sizeof frame);
    if (length > 0) {
        fake_handler_send(process, frame, (size_t)length, 0);
        actor->broke = true;
    }
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
    if (!fake_process(process)->has_channel) {
        act_alone(actor, process);
    } else {
        actor_listen(actor, process);
        if (fake_process(process)->listener_count > 0 && draw(2) == 0) {
            actor_act(actor, process, ACT_TAKE);
        }
        if (draw(oddness) == 0) {
            guess(actor, process);
        }
        actor_act(actor, process, draw_act(actor));
    }
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
                {FAKE_RANDOM, BATON_SYSTEM},    {FAKE_SEND, BATON_SYSTEM},
                {FAKE_STREAM, BATON_SHORTAGE},  {FAKE_STREAM, BATON_SYSTEM},
                {FAKE_LAUNCH, BATON_LIMIT},     {FAKE_ACCEPT, BATON_SYSTEM},
                {FAKE_ACCEPT, BATON_NO_MEMORY}, {FAKE_SEND, BATON_AGAIN},
                {FAKE_LAUNCH, BATON_NO_MEMORY}, {FAKE_STREAM, BATON_NO_MEMORY},
                {FAKE_OFFER, BATON_SHORTAGE}};
    size_t way = draw(sizeof ways / sizeof *ways);
    fake_fail(ways[way].call, ways[way].code, 1 + draw(4));
}

/* Where launches take their time. */
static void disturb_launches(void) {
    fake_lose_launches(draw(12));
    fake_hold_launches(draw(3) == 0);
}

/* Events that come in vain, or too late. */
static void inject_stream(void) {
    if (fake_stream_count() > 0) {
        fake_inject(PLATFORM_EVENT_STREAM, fake_stream(draw(fake_stream_count()))->token);
    }
}

static void inject(uint32_t process) {
    if (fake_process(process)->is_launching) {
        return;
    }
    static const enum platform_event_kind kinds[] = {PLATFORM_EVENT_CHANNEL,
                                                     PLATFORM_EVENT_WRITABLE, PLATFORM_EVENT_EXIT};
    fake_inject(kinds[draw(fake_process(process)->is_closed ? 3 : 2)],
                fake_process(process)->token);
}

/* ---- Clients ---- */

static void draw_header(uint32_t client) {
    static const char *const lines[] = {"PROXY TCP4 192.0.2.7 198.51.100.8 4000 443\r\n",
                                        "PROXY TCP6 2001:db8::7 2001:db8::8 4000 443\r\n",
                                        "PROXY UNKNOWN\r\n"};
    const char *line = lines[draw(3)];
    clients[client].header_bytes = strlen(line);
    memcpy(clients[client].header, line, clients[client].header_bytes);
    if (draw(6) == 0) {
        clients[client].header[draw((uint32_t)clients[client].header_bytes)] ^= 1;
    }
}

static void send_more(uint32_t client, size_t length) {
    while (length-- > 0) {
        size_t at = clients[client].sent_bytes++;
        size_t header_bytes = clients[client].header_bytes;
        uint8_t byte =
            at < header_bytes ? (uint8_t)clients[client].header[at] : text_at(at - header_bytes);
        fake_client_send(client, &byte, 1);
    }
}

static void arrive(const struct scene *scene) {
    uint32_t service = draw(SCENE_SERVICE_COUNT);
    const struct service *s = &scene->services[service];
    uint32_t place = draw((uint32_t)s->listen_count);
    uint16_t port = (uint16_t)(SCENE_PORT + service + place * SCENE_SERVICE_COUNT);
    if (fake_client_count() == CLIENT_COUNT) {
        return;
    }
    uint32_t client = s->protocol == PROTOCOL_UDP    ? fake_datagram(port)
                      : s->protocol == PROTOCOL_UNIX ? fake_connect_path(s->listen[place].path)
                                                     : fake_connect(port);
    if (client != FAKE_NONE && s->proxy_protocol) {
        draw_header(client);
        if (draw(3) != 0) {
            send_more(client, clients[client].header_bytes);
        }
    }
}

static void act_as_client(uint32_t client) {
    bool may_send = !clients[client].finished && !fake_client(client)->was_reset &&
                    !fake_client(client)->is_datagram;
    switch (draw(8)) {
    case 0:
        if (may_send) {
            fake_client_finish(client);
            clients[client].finished = true;
        }
        break;
    case 1:
        fake_client_set_room(client, draw(3) == 0 ? draw(5000) : SIZE_MAX);
        break;
    case 2:
        if (draw(3) == 0) {
            fake_reset(client);
        }
        break;
    default:
        if (may_send) {
            send_more(client, 1 + draw(draw(6) == 0 ? 20000 : 100));
        }
    }
}

/* As the config would have them. */
static void draw_living(struct service *s) {
    s->capacity_count = s->reuse_count != 1 && draw(2) == 0 ? 1 + draw(4) : 0;
    s->max_handlers_count = draw(2) == 0 ? 1 + draw(s->max_connections_count) : 0;
    s->spares_max_count = draw(2) == 0 ? draw(1 + service_max_handlers(s)) : 0;
    s->spares_count = draw(1 + s->spares_max_count);
    s->spares_min_count = draw(1 + s->spares_count);
    s->idle_exit_s = draw(3);
    s->retire_after_s = draw(4) == 0 ? 1 + draw(5) : 0;
}

/* ---- The config is read anew ---- */

/* What it says then. Not how a service's connections are handed over, which the checks go by. */
static int load(void *context, struct service_table *table, char **problems) {
    const struct scene *scene = context;
    (void)problems;
    if (draw(6) == 0) {
        return draw(2) == 0 ? BATON_INVALID : BATON_NO_MEMORY;
    }
    *table = scene_table(scene);
    return BATON_OK;
}

/* A restart: the same config, or as it is by now. */
static int rehearse(void *context, const char *layout, char **extra, size_t *extra_bytes,
                    char **problems) {
    static const int faults[] = {BATON_INVALID, BATON_SYSTEM, BATON_NO_MEMORY};
    (void)context;
    (void)layout;
    (void)problems;
    *extra = NULL;
    *extra_bytes = 0;
    return draw(6) == 0 ? faults[draw(3)] : BATON_OK;
}

static void draw_restart(void) {
    if (draw(6) == 0) {
        fake_fail(FAKE_RESTART, BATON_SYSTEM, 1);
    }
    fake_inject(PLATFORM_EVENT_RESTART, 0);
}

static void draw_reload(struct scene *scene) {
    for (uint32_t i = 0; i < SCENE_SERVICE_COUNT; i++) {
        struct service *s = &scene->services[i];
        if (draw(3) == 0) {
            continue; /* that one is the same */
        }
        if (s->handoff == HANDOFF_CHANNEL) {
            draw_living(s);
        }
        s->attempts_count = s->handoff == HANDOFF_LISTENER ? 1 : 1 + draw(3);
        s->leave_children = draw(3);
        s->backlog_count = 1 + draw(3);
        s->listen_count = draw(3) == 0 ? 1 + draw(SCENE_PLACE_COUNT) : s->listen_count;
        if (s->handoff == HANDOFF_LISTENER && s->has_channel) {
            s->max_connections_count = (uint32_t)s->listen_count;
        }
    }
    scene->service_count = 1 + (draw(4) != 0);
    fake_work_hold(draw(4) == 0);
    fake_inject(PLATFORM_EVENT_HANGUP, 0);
}

static void change(struct scene *scene) {
    uint32_t process = fake_process_count() == 0 ? 0 : draw(fake_process_count());
    switch (draw(18)) {
    case 0:
    case 1:
    case 2:
        arrive(scene);
        break;
    case 3:
        inject_stream();
        break;
    case 8:
    case 9:
    case 10:
        if (fake_client_count() > 0) {
            act_as_client(draw(fake_client_count()));
        }
        break;
    case 4:
        if (draw(3) == 0) {
            fail_a_call();
        } else if (draw(3) == 0) {
            disturb_launches();
        }
        break;
    case 5:
        fake_advance_us(draw(2) == 0 ? draw(1000) : draw(2000000));
        break;
    case 6:
        if (!is_stopping) { /* from then on who reads the log reads all of it */
            fake_log_set_room(draw(3) == 0 ? draw(2000) : SIZE_MAX);
        }
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
        fake_work_hold(false);
        fake_log_set_room(SIZE_MAX);
        scene_stop(scene);
        return true;
    }
    steps_left--;
    for (uint32_t i = 1 + draw(4); i > 0; i--) {
        change(scene);
    }
    if (draw(25) == 0) {
        draw_reload(scene);
    }
    if (restarts && draw(20) == 0) {
        draw_restart();
    }
    if (draw(300) == 0 || (hasty && draw(20) == 0)) {
        hasty = true;
        is_stopping = true;
        fake_log_set_room(SIZE_MAX);
        fake_stop();
    }
    /* Sometimes the clock jumps to the deadline. */
    return draw(12) != 0 || scene->deadline_us == UINT64_MAX;
}

/* ---- Worlds ---- */

static void draw_service(struct scene *scene, uint32_t service, bool windows) {
    static const enum service_handoff modes[] = {HANDOFF_CHANNEL, HANDOFF_CHANNEL,  HANDOFF_CHANNEL,
                                                 HANDOFF_STDIO,   HANDOFF_LISTENER, HANDOFF_PUMP,
                                                 HANDOFF_PUMP};
    static const struct address_block trusted = {{.family = ADDRESS_IPV4, .bytes = {10}}, 8};
    struct service *s = &scene->services[service];
    enum service_handoff mode = modes[draw(sizeof modes / sizeof *modes)];
    enum service_protocol protocol = draw(4) == 0 ? PROTOCOL_UNIX : PROTOCOL_TCP;
    if (mode == HANDOFF_LISTENER && draw(2) == 0) {
        protocol = PROTOCOL_UDP;
    }
    s->reuse_count = mode == HANDOFF_CHANNEL ? draw(6) : 1;
    s->max_connections_count = 1 + draw(draw(2) == 0 ? 2 : 8);
    s->attempts_count = 1 + draw(3);
    if (mode == HANDOFF_CHANNEL) {
        draw_living(s);
    }
    s->stderr_to = (mode == HANDOFF_STDIO || mode == HANDOFF_PUMP) && draw(2) == 0 ? STDERR_SOCKET
                                                                                   : STDERR_LOG;
    s->leave_children = draw(3);
    s->proxy_protocol = mode != HANDOFF_LISTENER && draw(3) == 0;
    s->proxy_timeout_ms = 3000;
    s->proxy_trusted = (struct address_block *)&trusted;
    s->proxy_trusted_count = draw(6) != 0;
    s->max_runtime_ms = draw(3) == 0 ? 1 + draw(4000) : 0;
    s->idle_timeout_ms = mode == HANDOFF_PUMP && draw(3) == 0 ? 1 + draw(4000) : 0;
    s->first_byte_timeout_ms = mode != HANDOFF_LISTENER && draw(4) == 0 ? 1 + draw(4000) : 0;
    scene_mode(scene, service, mode, protocol, windows);
    s->listen_count = 1 + draw(SCENE_PLACE_COUNT);
    if (mode == HANDOFF_LISTENER && windows) {
        s->max_connections_count = (uint32_t)s->listen_count;
    }
}

/* What a program wrote before its end is with its client, unless the record says why not. */
static void check_relay(const char *line, uint32_t client) {
    uint32_t process = (uint32_t)strtoul(lines_value(line, "pid"), NULL, 10) - 1000;
    size_t length = 0;
    const char *received = fake_client_received(client, &length);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal((uint8_t)received[i], text_at(i));
    }
    if (!lines_has(line, "bytes_out")) {
        return; /* it was not launched */
    }
    assert_int_equal(length, strtoul(lines_value(line, "bytes_out"), NULL, 10));
    assert_true(length <= written_bytes[process]);
    if (!lines_has(line, "text") && !fake_client(client)->was_reset && all_was_heard[process]) {
        assert_int_equal(length, written_bytes[process]);
    }
}

/* Not one byte behind a header was taken. */
static void check_rest(const char *line, uint32_t client) {
    size_t length = 0;
    const char *unread = fake_client_unread(client, &length);
    if (!lines_has(line, "launch_us") || clients[client].sent_bytes == 0) {
        return;
    }
    for (size_t i = 0; i < length; i++) {
        assert_int_equal((uint8_t)unread[i], text_at(i));
    }
}

/* The ids of connections are in the order in which their clients were accepted. */
static void check_bytes(const struct scene *scene) {
    uint64_t accepted = 0;
    for (uint64_t id = 1; lines_record(id) != NULL; id++) {
        const char *line = lines_record(id);
        if (strcmp(lines_value(line, "event"), "connection") != 0) {
            continue;
        }
        uint32_t client = fake_client_accepted(++accepted);
        uint32_t service = strcmp(lines_value(line, "service"), "one") == 0 ? 0 : 1;
        if (scene->services[service].handoff == HANDOFF_PUMP) {
            check_relay(line, client);
        } else if (scene->services[service].proxy_protocol) {
            check_rest(line, client);
        }
    }
}

static void play(uint64_t seed, bool print) {
    struct scene scene;
    bool windows;
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    steps_left = STEP_COUNT;
    is_stopping = false;
    hasty = false;
    oddness = 8u << draw(5);
    windows = draw(2) == 0;
    memset(clients, 0, sizeof clients);
    memset(written_bytes, 0, sizeof written_bytes);
    memset(all_was_heard, 1, sizeof all_was_heard);
    scene_init(&scene);
    scene.service_count = 2;
    draw_service(&scene, 0, windows);
    draw_service(&scene, 1, windows);
    static const enum act stay[] = {ACT_STAY};
    static const struct play play_immortal = {.acts = stay, .deaf = true, .immortal = true};
    static const struct play *const plays[] = {&play_deaf, &play_puppet, &play_deaf, &play_puppet,
                                               &play_immortal};
    scene_play(&scene, plays[draw(5)]);
    scene.script = drawn;
    const struct supervisor_source source = {
        .load = load, .context = &scene, .rehearse = restarts ? rehearse : NULL};
    scene.source = !restarts && draw(4) == 0 ? NULL : &source;
    fake_shuffle(draw(2) == 0 ? 0 : seed + 1);
    fake_set_chunk(draw(2) == 0 ? SIZE_MAX : 1 + draw(3000));
    fake_as_on_windows(windows);
    if (draw(8) == 0) {
        fake_fail(FAKE_LISTEN, BATON_IN_USE, 1);
    }
    scene_try(&scene);
    if (print) {
        fputs(fake_log(), stdout);
    }
    scene_check(&scene);
    check_bytes(&scene);
    restarts_count += fake_restart_count();
    scene_clear(&scene);
}

static uint64_t first_seed = 1;
static uint64_t seed_count;
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
    if (restarts && seed_count > 1) {
        print_message("%llu restarts\n", (unsigned long long)restarts_count);
        assert_true(restarts_count > seed_count);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_worlds, tell_seed),
    };
    restarts = getenv("BATON_TEST_RESTARTS") != NULL;
    seed_count = scene_all_wanted() ? SEED_COUNT_ALL : SEED_COUNT;
    if (argc > 1) {
        first_seed = strtoull(argv[1], NULL, 10);
        seed_count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
