#include "harness.h"

#include <stdio.h>

#define DEADLINE_US 20000000u
#define SILENCE_US 50000u

static struct bench bench_storage;

static const char *own_directory(void) {
    static char directory[4096];
    struct baton_cause cause;
    assert_int_equal(platform_own_directory(directory, sizeof directory, &cause), BATON_OK);
    return directory;
}

const char *bench_child_path(void) {
    static char path[4200];
    snprintf(path, sizeof path, "%s%cplatform_child%s", own_directory(),
             platform_backslash_separates ? '\\' : '/', platform_executable_suffix);
    return path;
}

bool bench_takes_rights = false;
uint32_t bench_reserve_count = 0;
size_t bench_process_count = BENCH_PROCESS_COUNT;

static void look(struct bench *bench, uint64_t deadline_us);

int bench_setup(void **state) {
    struct bench *bench = &bench_storage;
    memset(bench, 0, sizeof *bench);
    if (!platform_backslash_separates) {
        bench->descriptor_count = system_descriptor_count();
    }
    const struct platform_sizes sizes = {bench_process_count, BENCH_STREAM_COUNT,
                                         bench_takes_rights, bench_reserve_count};
    int result = platform_open_sized(&sizes, &bench->platform, &bench->cause);
    if (result != BATON_OK) {
        print_error("platform_open: %s: %s %ld\n", baton_error_text(result), bench->cause.call,
                    bench->cause.system_code);
        return -1;
    }
    const char *launchers = getenv(BENCH_LAUNCHERS);
    if (launchers != NULL) {
        uint32_t count = (uint32_t)strtoul(launchers, NULL, 10);
        (void)platform_launchers_set(bench->platform, &count);
        look(bench, 0); /* then there are */
    }
    bench->output_token = bench_token(bench);
    *state = bench;
    return platform_output_open(bench->platform, bench->output_token, &bench->output,
                                &bench->cause);
}

int bench_teardown(void **state) {
    struct bench *bench = *state;
    platform_output_close(&bench->output);
    platform_close(&bench->platform);
    if (!platform_backslash_separates && system_descriptor_count() != bench->descriptor_count) {
        print_error("%u descriptors before, %u after\n", (unsigned)bench->descriptor_count,
                    (unsigned)system_descriptor_count());
        return -1;
    }
    return 0;
}

uint64_t bench_token(struct bench *bench) {
    /* With the highest bits that a token may have, so that a body which loses some is found. */
    bench->last_token++;
    return UINT64_C(0x00a5000000000000) | bench->last_token;
}

static void remember(struct bench *bench, struct platform_event event) {
    for (size_t i = 0; i < bench->queue_count; i++) {
        if (bench->queue[i].kind == event.kind && bench->queue[i].token == event.token) {
            assert_int_not_equal(event.kind, PLATFORM_EVENT_EXIT); /* told once only */
            return;
        }
    }
    assert_true(bench->queue_count < BENCH_QUEUE_COUNT);
    bench->queue[bench->queue_count++] = event;
}

static bool recall(struct bench *bench, enum platform_event_kind kind, uint64_t token) {
    for (size_t i = 0; i < bench->queue_count; i++) {
        if (bench->queue[i].kind == kind && bench->queue[i].token == token) {
            bench->queue[i] = bench->queue[--bench->queue_count];
            return true;
        }
    }
    return false;
}

static void look(struct bench *bench, uint64_t deadline_us) {
    struct platform_event events[4];
    int count = platform_wait(bench->platform, events, 4, deadline_us, &bench->cause);
    assert_in_range(count, 0, 4);
    for (int i = 0; i < count; i++) {
        remember(bench, events[i]);
    }
}

void bench_await(struct bench *bench, enum platform_event_kind kind, uint64_t token) {
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    while (!recall(bench, kind, token)) {
        if (platform_now_us(bench->platform) >= deadline_us) {
            fail_msg("event %d never came; written so far: %.*s", (int)kind,
                     (int)bench->text_length, bench->text);
        }
        look(bench, deadline_us);
    }
}

bool bench_has(struct bench *bench, enum platform_event_kind kind, uint64_t token) {
    look(bench, 0);
    return recall(bench, kind, token);
}

void bench_forget_events(struct bench *bench) {
    size_t kept_count = 0;
    for (size_t i = 0; i < bench->queue_count; i++) {
        if (bench->queue[i].kind == PLATFORM_EVENT_EXIT) {
            bench->queue[kept_count++] = bench->queue[i];
        }
    }
    bench->queue_count = kept_count;
}

void bench_expect_silence(struct bench *bench) {
    struct platform_event event;
    uint64_t deadline_us = platform_now_us(bench->platform) + SILENCE_US;
    int count = platform_wait(bench->platform, &event, 1, deadline_us, &bench->cause);
    if (count != 0) {
        fail_msg("event %d of token %llu in the silence", count > 0 ? (int)event.kind : count,
                 count > 0 ? (unsigned long long)event.token : 0);
    }
    assert_true(platform_now_us(bench->platform) >= deadline_us);
}

int bench_log_open(struct bench *bench, const char *path) {
    const struct platform_log_sink sink = {.path = path};
    return platform_log_open(bench->platform, &bench->log, &sink, &bench->cause);
}

bool bench_log_write_all(struct bench *bench, const char *bytes, size_t length,
                         uint64_t deadline_us) {
    bool in_time = true;
    while (length > 0 && in_time) {
        struct baton_cause ignored;
        size_t taken = platform_log_write(bench->log, bytes, length, &ignored);
        bytes += taken;
        length -= taken;
        in_time = platform_now_us(bench->platform) < deadline_us;
        if (length > 0) {
            platform_log_wait(bench->log, deadline_us);
        }
    }
    return platform_log_flush(bench->log, deadline_us) == 0 && length == 0;
}

void bench_close_socket(struct bench *bench, struct platform_socket *socket) {
    platform_socket_close(bench->platform, socket);
    if (!platform_backslash_separates) { /* Windows begins at once, and tells of clients once */
        look(bench, platform_now_us(bench->platform));
    }
}

void bench_expect_descriptors(struct bench *bench, size_t count) {
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    while (system_descriptor_count() != count && platform_now_us(bench->platform) < deadline_us) {
        look(bench, platform_now_us(bench->platform) + 1000);
    }
    assert_int_equal(system_descriptor_count(), count);
}

void bench_expect_rest(struct bench *bench) {
    uint64_t before_us = system_cpu_us();
    uint64_t start_us = platform_now_us(bench->platform);
    bench_expect_silence(bench);
    assert_true(system_cpu_us() - before_us <=
                (platform_now_us(bench->platform) - start_us) / 2 + 1000);
}

struct platform_program *bench_recipe(struct bench *bench, const char *const *actions,
                                      struct platform_program_spec spec) {
    const char *argv[16] = {"platform_child"};
    for (size_t i = 0; actions[i] != NULL; i++) {
        assert_true(i < 14);
        argv[i + 1] = actions[i];
    }
    char self[4300];
    snprintf(self, sizeof self, "TEST_SELF=%s", bench_child_path());
    const char *variables[8] = {self};
    for (size_t i = 0; spec.environment != NULL && spec.environment[i] != NULL; i++) {
        assert_true(i < 6);
        variables[i + 1] = spec.environment[i];
    }
    spec.path = bench_child_path();
    spec.argv = argv;
    spec.environment = variables;
    spec.inherited = spec.inherited != NULL ? spec.inherited : platform_environment();
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    return program;
}

#define BENCH_OFFER_BYTES (WIRE_HEADER_BYTES + 1024)

struct platform_program *bench_program(struct bench *bench, const char *const *actions,
                                       const char *const *environment, const char *directory) {
    return bench_recipe(bench, actions,
                        (struct platform_program_spec){.environment = environment,
                                                       .directory = directory,
                                                       .has_channel = true});
}

int bench_try_launch(struct bench *bench, const struct platform_program *program, uint64_t token,
                     struct platform_process **process) {
    struct platform_launch launch = {.program = program,
                                     .nonce_hex = BENCH_NONCE,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = token};
    struct platform_launched made;
    int result = bench_launch_as(bench, &launch, &made);
    *process = made.process;
    return result;
}

int bench_launch_as(struct bench *bench, const struct platform_launch *launch,
                    struct platform_launched *out) {
    int result;
    while ((result = platform_launch(bench->platform, launch, out, &bench->cause)) == BATON_AGAIN &&
           out->process == NULL) {
        bench_await(bench, PLATFORM_EVENT_LAUNCHERS, 0);
    }
    if (result == BATON_AGAIN) {
        struct platform_process *process = out->process;
        bool has_offered = out->has_offered;
        bench_await(bench, PLATFORM_EVENT_LAUNCHED, launch->token);
        result = platform_launch_end(&process, out, &bench->cause);
        out->has_offered = has_offered;
    }
    return result;
}

struct platform_launched bench_start(struct bench *bench, const struct platform_launch *launch) {
    struct platform_launched made;
    int result;
    /* A launcher that was killed before it came to it has lost it; there is no client to come back.
     */
    while ((result = bench_launch_as(bench, launch, &made)) == BATON_AGAIN &&
           !platform_socket_is_open(launch->socket)) {
    }
    if (result != BATON_OK) {
        fail_msg("launch: %s: %s %ld", baton_error_text(result), bench->cause.call,
                 bench->cause.system_code);
    }
    return made;
}

struct platform_process *bench_launch_to(struct bench *bench, struct platform_output *output,
                                         const char *const *actions, uint64_t *token) {
    struct platform_program *program = bench_program(bench, actions, NULL, NULL);
    *token = bench_token(bench);
    struct platform_launched made =
        bench_start(bench, &(struct platform_launch){.program = program,
                                                     .nonce_hex = BENCH_NONCE,
                                                     .output = output,
                                                     .socket = PLATFORM_SOCKET_NONE,
                                                     .token = *token});
    platform_program_destroy(&program);
    return made.process;
}

struct platform_process *bench_launch(struct bench *bench, const char *const *actions,
                                      uint64_t *token) {
    return bench_launch_to(bench, bench->output, actions, token);
}

/* Takes all that can be read now. */
static void drain_output(struct bench *bench) {
    for (;;) {
        struct platform_writer writer;
        size_t length;
        assert_true(bench->text_length + 1 < sizeof bench->text);
        int result = platform_output_read(bench->output, bench->text + bench->text_length,
                                          sizeof bench->text - 1 - bench->text_length, &length,
                                          &writer, &bench->cause);
        if (result == BATON_END) {
            assert_true(bench->ended_pid_count < BENCH_QUEUE_COUNT);
            bench->ended_pids[bench->ended_pid_count++] = writer.pid;
            continue;
        }
        if (result == BATON_AGAIN) {
            break;
        }
        assert_int_equal(result, BATON_OK);
        assert_true(length > 0);
        assert_true(writer.pid != 0);
        bench->text_length += length;
    }
    bench->text[bench->text_length] = '\0';
}

void bench_await_text(struct bench *bench, const char *wanted) {
    drain_output(bench);
    while (strstr(bench->text, wanted) == NULL) {
        bench_await(bench, PLATFORM_EVENT_OUTPUT, bench->output_token);
        drain_output(bench);
    }
}

void bench_forget_text(struct bench *bench) {
    bench->text_length = 0;
    bench->text[0] = '\0';
    bench->ended_pid_count = 0;
}

/* True if the end of that process's output was told; forgets it, since pids come again. */
static bool take_ended_pid(struct bench *bench, uint32_t pid) {
    for (size_t i = 0; i < bench->ended_pid_count; i++) {
        if (bench->ended_pids[i] == pid) {
            bench->ended_pids[i] = bench->ended_pids[--bench->ended_pid_count];
            return true;
        }
    }
    return false;
}

struct platform_exit bench_finish(struct bench *bench, struct platform_process **process,
                                  uint64_t token) {
    bool ended = false;
    bool output_ended = false;
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    for (;;) {
        drain_output(bench); /* first: what there is may have been told before */
        ended = ended || recall(bench, PLATFORM_EVENT_EXIT, token);
        output_ended = output_ended || take_ended_pid(bench, platform_process_pid(*process));
        if (ended && output_ended) {
            break;
        }
        look(bench, deadline_us);
        if (platform_now_us(bench->platform) >= deadline_us) {
            fail_msg("the process does not end; written so far: %s", bench->text);
        }
    }
    drain_output(bench);
    struct platform_exit how = platform_process_exit(*process);
    platform_process_close(process);
    assert_null(*process);
    bench_forget_events(bench);
    return how;
}

static int receive_next(struct bench *bench, struct platform_process *process, uint64_t token,
                        uint8_t *frame, size_t *length) {
    int result;
    while ((result = platform_channel_receive(process, frame, FRAME_TO_SUPERVISOR_MAX, length,
                                              &bench->cause)) == BATON_AGAIN) {
        bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    }
    return result;
}

size_t bench_receive(struct bench *bench, struct platform_process *process, uint64_t token,
                     uint8_t frame[FRAME_TO_SUPERVISOR_MAX]) {
    size_t length;
    int result = receive_next(bench, process, token, frame, &length);
    if (result != BATON_OK) {
        fail_msg("receive: %s: %s %ld", baton_error_text(result), bench->cause.call,
                 bench->cause.system_code);
    }
    return length;
}

int bench_receive_fault(struct bench *bench, struct platform_process *process, uint64_t token) {
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    size_t length;
    int result;
    do {
        result = receive_next(bench, process, token, frame, &length);
    } while (result == BATON_OK);
    bool has_bytes = result == BATON_INVALID || result == BATON_TOO_LONG || result == BATON_DENIED;
    assert_in_range(length, 0, has_bytes ? sizeof frame : 0);
    return result;
}

struct address bench_loopback(void) {
    struct address address;
    assert_true(address_parse_host("127.0.0.1", &address));
    return address;
}

struct platform_listener_spec bench_tcp(const struct address *address) {
    return (struct platform_listener_spec){
        .protocol = PLATFORM_TCP, .address = *address, .backlog_count = 16, .v6only = true};
}

int bench_try_listen(struct bench *bench, const struct address *address, uint64_t token,
                     struct platform_listener **listener) {
    struct platform_listener_spec spec = bench_tcp(address);
    return platform_listener_open(bench->platform, &spec, token, listener, &bench->cause);
}

struct platform_listener *
bench_listen_as(struct bench *bench, const struct platform_listener_spec *spec, uint64_t *token) {
    struct platform_listener *listener;
    *token = bench_token(bench);
    int result = platform_listener_open(bench->platform, spec, *token, &listener, &bench->cause);
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    while (result == BATON_IN_USE && platform_now_us(bench->platform) < deadline_us) {
        /* One that was handed over there, and closed, is let go soon, not at once. */
        look(bench, platform_now_us(bench->platform) + 1000);
        result = platform_listener_open(bench->platform, spec, *token, &listener, &bench->cause);
    }
    if (result != BATON_OK) {
        fail_msg("listen: %s: %s %ld", baton_error_text(result), bench->cause.call,
                 bench->cause.system_code);
    }
    return listener;
}

struct platform_listener *bench_listen(struct bench *bench, uint64_t *token,
                                       struct address *address) {
    *address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(address);
    struct platform_listener *listener = bench_listen_as(bench, &spec, token);
    platform_listener_address(listener, address);
    return listener;
}

int bench_try_accept(struct bench *bench, struct platform_listener *listener,
                     struct platform_socket *socket) {
    struct address peer;
    return platform_listener_accept(listener, socket, &peer, &bench->cause);
}

int bench_await_accept(struct bench *bench, struct platform_listener *listener, uint64_t token,
                       struct platform_socket *socket) {
    int result;
    while ((result = bench_try_accept(bench, listener, socket)) == BATON_AGAIN) {
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    }
    return result;
}

struct platform_socket bench_accept(struct bench *bench, struct platform_listener *listener,
                                    uint64_t token, uintptr_t *client) {
    struct address address;
    struct address peer;
    struct platform_socket socket;
    platform_listener_address(listener, &address);
    *client = client_connect(&address);
    int result;
    while ((result = platform_listener_accept(listener, &socket, &peer, &bench->cause)) ==
           BATON_AGAIN) {
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    }
    assert_int_equal(result, BATON_OK);
    return socket;
}

struct platform_socket bench_accept_next(struct bench *bench, struct platform_listener *listener,
                                         uint64_t token) {
    struct platform_socket socket;
    struct address peer;
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause), BATON_OK);
    return socket;
}

struct bench_connection bench_connect(struct bench *bench) {
    struct bench_connection made;
    uint64_t token;
    made.listener = bench_listen(bench, &token, &made.address);
    made.socket = bench_accept(bench, made.listener, token, &made.client);
    return made;
}

void bench_disconnect(struct bench *bench, struct bench_connection *connection) {
    bench_close_socket(bench, &connection->socket);
    client_close(connection->client);
    platform_listener_close(&connection->listener);
}

static long write_offer(const uint8_t *info, uint8_t frame[BENCH_OFFER_BYTES]) {
    struct wire_message offer = {.type = WIRE_OFFER, .connection = 1, .kind = WIRE_KIND_CONNECTION};
    offer.service = (struct wire_text){"test", 4};
    offer.accepted_us = 1;
    offer.id = 1;
    offer.protocol_info = info;
    long length = wire_encode(&offer, frame, BENCH_OFFER_BYTES);
    assert_true(length > 0);
    return length;
}

int bench_offer(struct bench *bench, struct platform_process *process,
                struct platform_socket socket) {
    uint8_t info[PLATFORM_SOCKET_INFO_BYTES] = {0}, frame[BENCH_OFFER_BYTES];
    size_t info_length = sizeof info; /* an OFFER of no socket still has the field on Windows */
    if (platform_socket_is_open(socket)) {
        assert_int_equal(platform_socket_export(process, platform_process_pid(process), socket,
                                                info, &info_length, &bench->cause),
                         BATON_OK);
    }
    long length = write_offer(info_length > 0 ? info : NULL, frame);
    return platform_channel_send(process, frame, (size_t)length, socket, &bench->cause);
}

struct platform_process *bench_launch_with_offer(struct bench *bench, const char *const *actions,
                                                 struct platform_socket socket, uint64_t *token) {
    uint8_t frame[BENCH_OFFER_BYTES];
    struct platform_program *program = bench_program(bench, actions, NULL, NULL);
    *token = bench_token(bench);
    struct platform_launch launch = {.program = program,
                                     .nonce_hex = BENCH_NONCE,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .offer = frame,
                                     .offer_bytes = (size_t)write_offer(NULL, frame),
                                     .offer_socket = socket,
                                     .token = *token};
    struct platform_launched made = bench_start(bench, &launch);
    assert_true(made.has_offered);
    platform_program_destroy(&program);
    return made.process;
}

struct platform_exit bench_await_exit(struct bench *bench, struct platform_process **process,
                                      uint64_t token) {
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    struct platform_exit how = platform_process_exit(*process);
    platform_process_close(process);
    return how;
}

int bench_stream_read(struct bench *bench, struct platform_stream *stream, uint64_t token,
                      char *bytes, size_t length) {
    size_t done = 0;
    while (done < length) {
        size_t got = 0;
        int result = platform_stream_read(stream, bytes + done, length - done, &got, &bench->cause);
        if (result == BATON_AGAIN) {
            bench_await(bench, PLATFORM_EVENT_STREAM, token);
        } else if (result != BATON_OK) {
            return result;
        } else {
            assert_in_range(got, 1, length - done);
            done += got;
        }
    }
    return BATON_OK;
}

int bench_stream_write(struct bench *bench, struct platform_stream *stream, uint64_t token,
                       const char *bytes, size_t length) {
    size_t done = 0;
    while (done < length) {
        size_t put = 0;
        int result =
            platform_stream_write(stream, bytes + done, length - done, &put, &bench->cause);
        if (result == BATON_AGAIN) {
            bench_await(bench, PLATFORM_EVENT_STREAM, token);
        } else if (result != BATON_OK) {
            return result;
        } else {
            assert_in_range(put, 1, length - done);
            done += put;
        }
    }
    return BATON_OK;
}

int bench_remove_scratch(void **state) {
    (void)state;
    system_remove_directory(system_scratch());
    return 0;
}
