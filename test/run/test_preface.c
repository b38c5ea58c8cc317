/* PROXY headers before everything else on a connection. */
#include "scene.h"

#include "core/service/facts.h"
#include "core/service/template.h"

#include <string.h>

#define PROXY_MS 3000u
#define LINE "PROXY TCP4 192.0.2.7 198.51.100.8 4000 443\r\n"
#define WORDS "GET / HTTP/1.0\r\n\r\n"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

struct header {
    const char *bytes;
    size_t length;
    const char *peer, *local, *via; /* as the record has them; NULL = as without a header */
    const char *host, *port;        /* of the peer, as the environment has them */
};

#define HEADER(text, ...)                                                                          \
    { text, sizeof text - 1, __VA_ARGS__ }

static const struct header headers[] = {
    HEADER(LINE, "192.0.2.7:4000", "198.51.100.8:443", "10.0.0.0:50000", "192.0.2.7", "4000"),
    HEADER("PROXY TCP6 2001:db8::7 2001:db8::8 4000 443\r\n", "[2001:db8::7]:4000",
           "[2001:db8::8]:443", "10.0.0.0:50000", "2001:db8::7", "4000"),
    HEADER("PROXY UNKNOWN\r\n", NULL, NULL, NULL, "10.0.0.0", "50000"),
    HEADER("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", NULL, NULL, NULL, "10.0.0.0", "50000"),
    HEADER(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x08\x0f\xa0\x01\xbb",
           "192.0.2.7:4000", "198.51.100.8:443", "10.0.0.0:50000", "192.0.2.7", "4000"),
    /* The same with a TLV that is skipped. */
    HEADER(SIGNATURE "\x21\x11\x00\x12\xc0\x00\x02\x07\xc6\x33\x64\x08\x0f\xa0\x01\xbb"
                     "\x04\x00\x03xyz",
           "192.0.2.7:4000", "198.51.100.8:443", "10.0.0.0:50000", "192.0.2.7", "4000"),
    HEADER(SIGNATURE "\x21\x21\x00\x24"
                     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
                     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x08\x0f\xa0\x01\xbb",
           "[2001:db8::7]:4000", "[2001:db8::8]:443", "10.0.0.0:50000", "2001:db8::7", "4000"),
    HEADER(SIGNATURE "\x20\x00\x00\x00", NULL, NULL, NULL, "10.0.0.0", "50000"), /* LOCAL */
};
#define HEADER_COUNT (sizeof headers / sizeof *headers)

static const struct address_block trusted = {{.family = ADDRESS_IPV4, .bytes = {10}}, 8};
static const struct address_block others = {{.family = ADDRESS_IPV4, .bytes = {127}}, 8};

static char words_argument[] = "{peer_address}";
static char port_argument[] = "{port}";
static char *arguments[] = {words_argument, port_argument, NULL};

#define VARIABLES_MAX_COUNT 32
static const char *variables[VARIABLES_MAX_COUNT + 1];
static const char *templates[VARIABLES_MAX_COUNT + 1];

/* What service_table_build() would make of `proxy_protocol = on`. */
static void demand(struct scene *scene, uint32_t service) {
    struct service *s = &scene->services[service];
    s->proxy_protocol = 1;
    s->proxy_timeout_ms = PROXY_MS;
    s->proxy_trusted = (struct address_block *)&trusted;
    s->proxy_trusted_count = 1;
    const struct fact_variable *next = fact_variables;
    enum fact_context context = fact_context_of(s->protocol, s->handoff, service_serves_many(s));
    s->variables = variables;
    s->variable_templates = templates;
    s->variable_count = 0;
    for (; (next = fact_variable_next(next, context)) != NULL; next++) {
        assert_true(s->variable_count < VARIABLES_MAX_COUNT);
        variables[s->variable_count] = next->name;
        templates[s->variable_count++] = next->template;
    }
    variables[s->variable_count] = NULL;
    s->argv = arguments;
    s->argc = 2;
    s->argv_varies = true;
    s->launch_bytes = template_launch_bytes(s);
}

static void stage(struct scene *scene, enum service_handoff handoff, const struct play *play,
                  scene_script *script) {
    scene_stage(scene, play, script);
    scene_mode(scene, 0, handoff, PROTOCOL_TCP, false);
    demand(scene, 0);
}

static void send_text(uint32_t client, const char *text) {
    fake_client_send(client, text, strlen(text));
}

static void assert_unread(uint32_t client, const char *wanted) {
    size_t length = 0;
    const char *unread = fake_client_unread(client, &length);
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(unread, wanted, length);
}

/* ---- Whom a header names ---- */

static bool named(struct scene *s) {
    const struct header *h = &headers[s->way];
    SCENE_BEGIN(s);
    assert_int_equal(fake_client(0)->accepted_number, 1);
    assert_int_equal(fake_process_count(), 0);
    assert_int_equal(s->deadline_us - fake_now_us(), PROXY_MS * 1000);
    fake_client_send(0, h->bytes, h->length);
    send_text(0, WORDS);
    LOOK(s);
    assert_int_equal(fake_process_count(), 1);
    assert_string_equal(fake_variable(0, "TCPREMOTEIP"), h->host);
    assert_string_equal(fake_variable(0, "TCPREMOTEPORT"), h->port);
    assert_string_equal(fake_variable(0, "REMOTE_ADDR"), h->host);
    assert_string_equal(fake_variable(0, "SERVER_PORT"), h->local == NULL ? "7001" : "443");
    assert_string_equal(fake_variable(0, "TCPCONNNUM"), "1");
    assert_string_equal(fake_argument(0, 0), h->host);
    assert_string_equal(fake_argument(0, 1), h->local == NULL ? "7001" : "443");
    assert_null(fake_argument(0, 2));
    if (s->services[0].handoff == HANDOFF_CHANNEL) {
        ACTS(s, 0, ACT_HELLO, ACT_ACK);
    }
    if (s->services[0].handoff != HANDOFF_PUMP) {
        assert_unread(0, WORDS);
    } else {
        char bytes[64];
        size_t length = 0;
        assert_int_equal(fake_program_read(0, bytes, sizeof bytes, &length), BATON_OK);
        assert_int_equal(length, sizeof WORDS - 1);
        assert_memory_equal(bytes, WORDS, length);
    }
    fake_client_finish(0);
    ACTS(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_who_is_named(void **state) {
    (void)state;
    static const enum service_handoff modes[] = {HANDOFF_STDIO, HANDOFF_PUMP, HANDOFF_CHANNEL};
    for (uint32_t mode = 0; mode < 3; mode++) {
        for (uint32_t way = 0; way < HEADER_COUNT; way++) {
            const struct header *h = &headers[way];
            struct scene scene;
            stage(&scene, modes[mode], &play_puppet, named);
            scene.way = way;
            scene_run(&scene);
            assert_record(1, "served", "1");
            const char *line = lines_record(1);
            assert_string_equal(lines_value(line, "peer"),
                                h->peer == NULL ? "10.0.0.0:50000" : h->peer);
            assert_string_equal(lines_value(line, "local"),
                                h->local == NULL ? "127.0.0.1:7001" : h->local);
            assert_string_equal(lines_value(line, "via"), h->via == NULL ? "" : h->via);
            assert_false(lines_has(line, "text"));
            scene_clear(&scene);
        }
    }
}

/* ---- Torn headers ---- */

static bool torn(struct scene *s) {
    const struct header *h = &headers[s->way];
    SCENE_BEGIN(s);
    if (s->number > 0) {
        fake_client_send(0, h->bytes, s->number);
    }
    s->count = (uint32_t)fake_wait_count();
    LOOK(s);
    assert_true(fake_wait_count() - s->count < 5);
    assert_int_equal(fake_process_count(), 0);
    fake_advance_us(PROXY_MS * 1000 - 1);
    LOOK(s);
    assert_int_equal(s->deadline_us - fake_now_us(), 1);
    fake_client_send(0, h->bytes + s->number, h->length - s->number);
    send_text(0, WORDS);
    LOOK(s);
    assert_int_equal(fake_process_count(), 1);
    assert_unread(0, WORDS);
    assert_true(s->deadline_us == UINT64_MAX);
    ACTS(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_torn_at_each_byte(void **state) {
    (void)state;
    for (uint32_t way = 0; way < HEADER_COUNT; way++) {
        for (uint32_t cut = 0; cut < headers[way].length; cut++) {
            struct scene scene;
            stage(&scene, HANDOFF_STDIO, &play_puppet, torn);
            scene.way = way;
            scene.number = cut;
            scene_run(&scene);
            assert_record(1, "served", "1");
            scene_clear(&scene);
        }
    }
}

static bool ends_inside(struct scene *s) {
    const struct header *h = &headers[s->way];
    SCENE_BEGIN(s);
    if (s->number > 0) {
        fake_client_send(0, h->bytes, s->number);
    }
    LOOK(s);
    if (s->count == 0) {
        fake_client_finish(0);
    } else {
        fake_reset(0);
    }
    LOOK(s);
    assert_int_equal(lines_count("connection"), 1);
    assert_false(fake_client(0)->supervisor_has);
    SCENE_END(s);
}

static void test_end_inside_a_header(void **state) {
    (void)state;
    for (uint32_t way = 0; way < HEADER_COUNT; way++) {
        for (uint32_t cut = 0; cut < headers[way].length; cut++) {
            struct scene scene;
            stage(&scene, HANDOFF_CHANNEL, &play_puppet, ends_inside);
            scene.way = way;
            scene.number = cut;
            scene.count = cut % 2;
            scene_run(&scene);
            assert_record(1, cut == 0 ? "abandoned" : "proxy_invalid", "0");
            assert_string_equal(lines_value(lines_record(1), "text"),
                                cut == 0 ? "the connection ended before its PROXY header"
                                         : "the connection ended inside its PROXY header");
            assert_int_equal(fake_process_count(), 0);
            scene_clear(&scene);
        }
    }
}

/* A byte now and then does not win any time. */
static bool slow(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 29; s->number++) {
        fake_client_send(0, &LINE[s->number], 1);
        fake_advance_us(100000);
        LOOK(s);
        assert_int_equal(s->deadline_us, FAKE_START_US + PROXY_MS * 1000);
    }
    assert_int_equal(lines_count("connection"), 0);
    JUMP(s);
    assert_int_equal(lines_count("connection"), 1);
    assert_false(fake_client(0)->supervisor_has);
    assert_true(s->deadline_us == UINT64_MAX);
    SCENE_END(s);
}

static void test_slow_header(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_PUMP, &play_puppet, slow);
    scene_run(&scene);
    assert_record(1, "proxy_timeout", "0");
    assert_string_equal(lines_value(lines_record(1), "duration_ms"), "3000");
    assert_int_equal(fake_process_count(), 0);
    scene_clear(&scene);
}

/* ---- What is refused ---- */

static bool refused(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    send_text(0, s->number == 0 ? LINE : WORDS);
    LOOK(s);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_untrusted(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, refused);
    scene.client_count = 0;
    scene.services[0].proxy_trusted = (struct address_block *)&others;
    scene_run(&scene);
    assert_record(1, "refused_access", "0");
    assert_unread(0, LINE);
    assert_string_equal(lines_value(lines_record(1), "peer"), "10.0.0.0:50000");
    assert_string_equal(lines_value(lines_record(1), "text"), "the peer is not in proxy_trusted");
    assert_int_equal(fake_call_count(FAKE_STREAM), 0);
    scene_clear(&scene);
}

static void test_no_header(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, refused);
    scene.client_count = 0;
    scene.number = 1;
    scene_run(&scene);
    assert_record(1, "proxy_invalid", "0");
    assert_string_equal(lines_value(lines_record(1), "text"),
                        "the connection does not begin with a PROXY header");
    assert_int_equal(fake_process_count(), 0);
    scene_clear(&scene);
}

static bool short_of_streams(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    fake_connect(SCENE_PORT);
    LOOK(s);
    assert_record(1, "launch_failed", "0");
    assert_int_equal(lines_count("accept_paused"), 1);
    assert_int_equal(fake_call_count(FAKE_STREAM), 1); /* the second client waits */
    JUMP(s);
    assert_int_equal(fake_call_count(FAKE_STREAM), 2);
    fake_client_finish(1);
    SCENE_END(s);
}

static void test_header_that_cannot_be_read(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, short_of_streams);
    scene.client_count = 0;
    fake_fail(FAKE_STREAM, BATON_SHORTAGE, 1);
    scene_run(&scene);
    assert_record(2, "abandoned", "0");
    scene_clear(&scene);
}

static bool local_client(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect_path("/run/one");
    send_text(0, LINE);
    LOOK(s);
    assert_int_equal(fake_process_count(), 1);
    ACTS(s, 0, ACT_EXIT);
    SCENE_END(s);
}

/* Who may connect there is told by the file's mode: no address could be in proxy_trusted. */
static void test_local_socket(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene_mode(&scene, 0, HANDOFF_STDIO, PROTOCOL_UNIX, false);
    demand(&scene, 0);
    scene_play(&scene, &play_puppet);
    scene.script = local_client;
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_string_equal(lines_value(lines_record(1), "peer"), "192.0.2.7:4000");
    assert_string_equal(lines_value(lines_record(1), "via"), "uid:1000,pid:1");
    scene_clear(&scene);
}

/* ---- Counts ---- */

/* Who has not said anything yet counts; so does the same client behind different connections. */
static bool counts(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_client(2)->accepted_number, 3);
    assert_int_equal(fake_client(3)->accepted_number, 0);
    s->count = (uint32_t)fake_wait_count();
    send_text(0, LINE);
    LOOK(s);
    send_text(1, LINE);
    LOOK(s);
    assert_string_equal(fake_variable(0, "TCPCONNNUM"), "1");
    assert_string_equal(fake_variable(1, "TCPCONNNUM"), "2");
    assert_true(fake_wait_count() - s->count < 10);
    JUMP(s); /* the third one's time is up */
    LOOK(s);
    assert_int_equal(fake_client(3)->accepted_number, 4);
    send_text(3, LINE);
    LOOK(s);
    assert_string_equal(fake_variable(2, "TCPCONNNUM"), "3");
    ACTS(s, 0, ACT_EXIT);
    ACTS(s, 1, ACT_EXIT);
    ACTS(s, 2, ACT_EXIT);
    SCENE_END(s);
}

static void test_counts(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, counts);
    scene.client_count = 4;
    scene.services[0].max_connections_count = 3;
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    assert_record(3, "proxy_timeout", "0");
    assert_record(4, "served", "1");
    scene_clear(&scene);
}

/* Each at its turn, and then its first byte is awaited for as long as it may take. */
static bool one_by_one(struct scene *s) {
    SCENE_BEGIN(s);
    send_text(0, LINE WORDS);
    send_text(1, LINE WORDS);
    send_text(2, LINE);
    LOOK(s);
    assert_int_equal(fake_process_count(), 1);
    s->count = (uint32_t)fake_wait_count();
    JUMP(s);
    assert_int_equal(fake_now_us(), FAKE_START_US + 1000000);
    assert_int_equal(fake_process_count(), 2);
    JUMP(s);
    assert_int_equal(fake_now_us(), FAKE_START_US + 2000000);
    assert_int_equal(fake_process_count(), 2);
    assert_true(fake_wait_count() - s->count < 10);
    ACTS(s, 0, ACT_EXIT);
    ACTS(s, 1, ACT_EXIT);
    JUMP(s);
    assert_int_equal(lines_count("connection"), 3);
    SCENE_END(s);
}

static void test_turns(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, one_by_one);
    scene.client_count = 3;
    scene.services[0].limits.rate = (struct rate_limit){1, 1, 1};
    scene.services[0].first_byte_timeout_ms = 700;
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    assert_record(3, "no_first_byte", "0");
    scene_clear(&scene);
}

static bool gone_before_its_turn(struct scene *s) {
    SCENE_BEGIN(s);
    send_text(0, LINE);
    send_text(1, LINE);
    LOOK(s);
    fake_reset(1);
    LOOK(s);
    JUMP(s);
    assert_int_equal(fake_process_count(), 1);
    assert_record(2, "abandoned", "0");
    ACTS(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_nothing_is_launched_for_who_has_gone(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, gone_before_its_turn);
    scene.client_count = 2;
    scene.services[0].limits.rate = (struct rate_limit){1, 1, 1};
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* A thousand that have said half a word: nothing moves until their time is up. */
static bool flood(struct scene *s) {
    SCENE_BEGIN(s);
    for (uint32_t i = 0; i < 1000; i++) {
        fake_client_send(i, LINE, 1 + i % 40);
    }
    LOOK(s);
    s->count = (uint32_t)fake_wait_count();
    fake_advance_us(PROXY_MS * 1000 - 1);
    LOOK(s);
    assert_true(fake_wait_count() - s->count < 5);
    JUMP(s);
    assert_int_equal(lines_count("connection"), 1000);
    SCENE_END(s);
}

static void test_many_torn_headers(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, flood);
    scene.client_count = 1000;
    scene.services[0].max_connections_count = 1000;
    scene_run(&scene);
    assert_int_equal(fake_process_count(), 0);
    assert_record(1000, "proxy_timeout", "0");
    scene_clear(&scene);
}

/* ---- The stop, and events that come too late ---- */

static bool stop(struct scene *s) {
    SCENE_BEGIN(s);
    send_text(0, "PROXY TCP4");
    LOOK(s);
    scene_stop(s);
    LOOK(s);
    SCENE_END(s);
}

static void test_stop_while_headers_are_read(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_CHANNEL, &play_puppet, stop);
    scene.client_count = 3;
    scene_run(&scene);
    assert_records(1, 3, "drained", "0");
    assert_true(fake_now_us() == FAKE_START_US);
    scene_clear(&scene);
}

static bool stale(struct scene *s) {
    SCENE_BEGIN(s);
    s->mark_us = fake_stream(0)->token;
    send_text(0, LINE WORDS);
    LOOK(s);
    fake_inject(PLATFORM_EVENT_STREAM, s->mark_us); /* the connection lives, its stream does not */
    LOOK(s);
    assert_unread(0, WORDS);
    ACTS(s, 0, ACT_EXIT);
    fake_inject(PLATFORM_EVENT_STREAM, s->mark_us);
    LOOK(s);
    CONNECT(s);
    assert_true(fake_stream(1)->token != s->mark_us);
    send_text(1, "PROXY ");
    LOOK(s);
    fake_inject(PLATFORM_EVENT_STREAM, s->mark_us);
    LOOK(s);
    send_text(1, "UNKNOWN\r\n");
    LOOK(s);
    ACTS(s, 1, ACT_EXIT);
    SCENE_END(s);
}

static void test_stale_events(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, HANDOFF_STDIO, &play_puppet, stale);
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_named),
        cmocka_unit_test(test_torn_at_each_byte),
        cmocka_unit_test(test_end_inside_a_header),
        cmocka_unit_test(test_slow_header),
        cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_no_header),
        cmocka_unit_test(test_header_that_cannot_be_read),
        cmocka_unit_test(test_local_socket),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_nothing_is_launched_for_who_has_gone),
        cmocka_unit_test(test_many_torn_headers),
        cmocka_unit_test(test_stop_while_headers_are_read),
        cmocka_unit_test(test_stale_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
