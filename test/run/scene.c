#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum act good_acts[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_TICK,
                                     ACT_DONE,  ACT_AWAIT_DRAIN, ACT_EXIT};
const struct play play_good = {.acts = good_acts};
static const enum act server_acts[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK,
                                       ACT_TICK,  ACT_DONE,        ACT_REPEAT};
const struct play play_server = {.acts = server_acts};
static const enum act puppet_acts[] = {ACT_STAY};
const struct play play_puppet = {.acts = puppet_acts};
const struct play play_deaf = {.acts = puppet_acts, .deaf = true};

static const enum act exit_acts[] = {ACT_EXIT};
const struct play play_exit = {.acts = exit_acts};

static char argument[] = "one";
static char *arguments[] = {argument, NULL};
static char *environment[] = {NULL};

void scene_play(struct scene *scene, const struct play *play) {
    scene->plays[scene->play_count++] = play;
}

struct actor *scene_actor(struct scene *scene, uint32_t process) {
    while (scene->actor_count <= process) {
        if (scene->actor_count == scene->actor_capacity) {
            scene->actor_capacity = scene->actor_capacity * 2 + 16;
            scene->actors = realloc(scene->actors, scene->actor_capacity * sizeof *scene->actors);
            assert_non_null(scene->actors);
        }
        uint32_t turn =
            scene->actor_count < scene->play_count ? scene->actor_count : scene->play_count - 1;
        scene->actors[scene->actor_count++] =
            (struct actor){.play = scene->play_count == 0 ? &play_good : scene->plays[turn]};
    }
    return &scene->actors[process];
}

struct actor *scene_listen(struct scene *scene, uint32_t process) {
    struct actor *actor = scene_actor(scene, process);
    actor_listen(actor, process);
    return actor;
}

void scene_act(struct scene *scene, uint32_t process, enum act act) {
    actor_act(scene_listen(scene, process), process, act);
}

void scene_stop(struct scene *scene) {
    scene->stopped = true;
    fake_stop();
}

bool scene_hurry(struct scene *s) {
    SCENE_BEGIN(s);
    scene_stop(s);
    LOOK(s);
    scene_stop(s);
    LOOK(s);
    assert_int_equal(fake_now_us(), FAKE_START_US);
    SCENE_END(s);
}

bool scene_stop_late(struct scene *s) {
    SCENE_BEGIN(s);
    JUMP(s);
    JUMP(s);
    scene_stop(s);
    LOOK(s);
    SCENE_END(s);
}

static bool play_all(struct scene *scene) {
    bool acted = false;
    for (uint32_t i = 0; i < fake_process_count(); i++) {
        acted = actor_play(scene_actor(scene, i), i) || acted;
    }
    return acted;
}

static bool idle(void *context, uint64_t deadline_us) {
    struct scene *scene = context;
    scene->deadline_us = deadline_us;
    if (!scene->started) {
        scene->started = true;
        for (uint32_t i = 0; i < scene->client_count; i++) {
            fake_connect(SCENE_PORT);
        }
        return true;
    }
    if (play_all(scene)) {
        return true;
    }
    if (scene->script != NULL && scene->line >= 0) {
        /* Its last change, too, has to be looked at. */
        return scene->script(scene) || scene->line < 0;
    }
    if (!scene->stopped && deadline_us == PLATFORM_WAIT_FOREVER) {
        scene_stop(scene);
        return true;
    }
    return false;
}

static void signalled(void *context, uint32_t process, enum platform_signal how) {
    struct scene *scene = context;
    if (scene->watch != NULL) {
        scene->watch(scene, process, how);
    }
    actor_signalled(scene_actor(context, process), process, how);
}

void scene_init(struct scene *scene) {
    static const char *const names[SCENE_SERVICE_COUNT] = {"one", "two"};
    memset(scene, 0, sizeof *scene);
    scene->service_count = 1;
    for (uint16_t i = 0; i < SCENE_SERVICE_COUNT; i++) {
        for (uint16_t k = 0; k < SCENE_PLACE_COUNT; k++) {
            scene->places[i][k].address =
                (struct address){.family = ADDRESS_IPV4,
                                 .bytes = {127, 0, 0, 1},
                                 .port = (uint16_t)(SCENE_PORT + i + k * SCENE_SERVICE_COUNT)};
        }
        scene->services[i] = (struct service){.name = names[i],
                                              .log_served = 1,
                                              .listen = scene->places[i],
                                              .listen_count = 1,
                                              .program = "/handlers/one",
                                              .handler = "/handlers/one",
                                              .argv = arguments,
                                              .argc = 1,
                                              .environment = environment,
                                              .has_channel = true,
                                              .launch_bytes = 4096,
                                              .v6only = 1,
                                              .backlog_count = 16,
                                              .max_connections_count = 8,
                                              .attempts_count = 2,
                                              .reuse_count = 1,
                                              .handshake_timeout_ms = HANDSHAKE_MS,
                                              .stop_timeout_ms = STOP_MS};
    }
    struct fake_director director = {scene, idle, signalled};
    actor_forget_all();
    fake_begin(&director);
    const char *launchers = getenv("BATON_TEST_LAUNCHERS");
    if (launchers != NULL) {
        fake_launch_late((uint32_t)strtoul(launchers, NULL, 10));
    }
}

void scene_stage(struct scene *scene, const struct play *play, scene_script *script) {
    scene_init(scene);
    scene_play(scene, play);
    scene->client_count = 1;
    scene->script = script;
}

void scene_mode(struct scene *scene, uint32_t service, enum service_handoff handoff,
                enum service_protocol protocol, bool windows) {
    struct service *s = &scene->services[service];
    s->handoff = handoff;
    s->protocol = protocol;
    s->has_channel = handoff == HANDOFF_CHANNEL || (handoff == HANDOFF_LISTENER && windows);
    if (handoff == HANDOFF_LISTENER) {
        s->max_connections_count = 1;
        s->attempts_count = 1;
    }
    for (uint32_t i = 0; i < SCENE_PLACE_COUNT && protocol == PROTOCOL_UNIX; i++) {
        static const char *const paths[SCENE_SERVICE_COUNT][SCENE_PLACE_COUNT] = {
            {"/run/one", "/run/one.2", "/run/one.3"}, {"/run/two", "/run/two.2", "/run/two.3"}};
        scene->places[service][i] =
            (struct service_listen){.address = {.family = ADDRESS_UNIX}, .path = paths[service][i]};
        s->socket_mode = 0660;
    }
}

struct service_table scene_table(const struct scene *scene) {
    return (struct service_table){
        .services = (struct service *)(uintptr_t)scene->services,
        .service_count = scene->service_count,
        .options = {.handlers = "/handlers",
                    .log = scene->log,
                    .control = scene->control,
                    .status = scene->status,
                    .status_mode = 0644,
                    .log_format = scene->log_format,
                    .log_level = scene->logs_errors_alone ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG,
                    .user = scene->user,
                    .identity = scene->identity,
                    .forbids_new_privileges = true}};
}

void scene_try(struct scene *scene) {
    struct service_table table = scene_table(scene);
    uint32_t most_count = 0;
    for (uint16_t i = 0; i < scene->service_count; i++) {
        most_count += scene->services[i].max_connections_count;
    }
    bool is_crowd = most_count > SCENE_CONNECTIONS_COUNT / 2;
    static jmp_buf restarted;
    fake_restart_at(&restarted);
    if (setjmp(restarted) != 0) {
        table = scene_table(scene);
    }
    scene->result = supervisor_run_sized(&table, scene->machine, scene->source,
                                         is_crowd ? SCENE_CROWD_COUNT : SCENE_CONNECTIONS_COUNT);
}

void scene_run(struct scene *scene) {
    scene_try(scene);
    scene_check(scene);
}

void scene_clear(struct scene *scene) {
    free(scene->actors);
    fake_end();
}

static void fail_with_log(const char *what) {
    /* cmocka cuts what it prints. */
    fprintf(stderr, "%s\nlog:\n%s\n", what, fake_log());
    fail();
}

static void check_nothing_left(void) {
    struct fake_left left = fake_left();
    struct fake_left none = {0};
    if (memcmp(&left, &none, sizeof left) != 0) {
        print_error("left: %u listeners %u outputs %u programs %u sockets %u copies %u processes "
                    "%u channels %u streams\n",
                    left.listener_count, left.output_count, left.program_count, left.socket_count,
                    left.copy_count, left.process_count, left.channel_count, left.stream_count);
        fail_with_log("something is left");
    }
}

/* One of a service; else it has come to ask. */
static bool is_served(const struct scene *scene, uint32_t client) {
    const char *path = fake_listener(fake_client(client)->listener)->spec.path;
    return path == NULL || ((scene->control == NULL || strcmp(path, scene->control) != 0) &&
                            (scene->status == NULL || strcmp(path, scene->status) != 0));
}

/* Numbers are given in order and each has its record. */
static void check_records(const struct scene *scene) {
    uint32_t accepted_count = 0;
    for (uint32_t i = 0; i < fake_client_count(); i++) {
        accepted_count += fake_client(i)->accepted_number != 0 && is_served(scene, i) ? 1 : 0;
        if (fake_client(i)->accepted_number != 0 && actor_acked_count(i) > 1) {
            print_error("client %u\n", i);
            fail_with_log("served by two");
        }
    }
    uint32_t count = accepted_count + lines_count("activation");
    for (uint64_t id = 1; id <= count; id++) {
        if (lines_record(id) == NULL) {
            print_error("connection %llu\n", (unsigned long long)id);
            fail_with_log("not exactly one record");
        }
    }
    if (lines_count("connection") != accepted_count) {
        fail_with_log("a record too many");
    }
    if (strtoul(lines_value(lines_find("stopped", 0), "connections"), NULL, 10) != count) {
        fail_with_log("another number of records than of connections");
    }
}

void scene_check(struct scene *scene) {
    if (fake_misuse() != NULL) {
        fail_with_log(fake_misuse());
    }
    if (scene->result != SUPERVISOR_STOPPED) {
        fail_with_log("not an ordered end");
    }
    check_nothing_left();
    assert_int_equal(lines_count("stopped"), 1);
    check_records(scene);
}

bool scene_all_wanted(void) {
    const char *all = getenv("BATON_ALL");
    return all != NULL && strcmp(all, "1") == 0;
}

void assert_record(uint64_t id, const char *outcome, const char *attempts) {
    const char *line = lines_record(id);
    if (line == NULL || strcmp(lines_value(line, "outcome"), outcome) != 0 ||
        strcmp(lines_value(line, "attempts"), attempts) != 0) {
        print_error("connection %llu: wanted outcome=%s attempts=%s, is %.*s\n",
                    (unsigned long long)id, outcome, attempts,
                    line == NULL ? 4 : (int)strcspn(line, "\n"), line == NULL ? "none" : line);
        fail_with_log("another record was wanted");
    }
}

void assert_records(uint64_t first_id, uint64_t last_id, const char *outcome,
                    const char *attempts) {
    for (uint64_t id = first_id; id <= last_id; id++) {
        assert_record(id, outcome, attempts);
    }
}
