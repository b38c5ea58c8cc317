/* Programs of people who know nothing of Baton, by a socket and by pipes: cmd.exe and a C console
 * program (console_win32.c). Wine is not Windows: it lets ReadFile succeed on overlapped sockets,
 * too, so the attribute itself is looked at. */
#include "harness.h"

#include "platform/win32/stream.h"

#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <tlhelp32.h>

#define PUMP_COUNT 100
#define DEADLINE_US 60000000u

static const char *console_path(void) {
    static char path[4200];
    struct baton_cause cause;
    char directory[4096];
    assert_int_equal(platform_own_directory(directory, sizeof directory, &cause), BATON_OK);
    snprintf(path, sizeof path, "%s\\platform_console.exe", directory);
    return path;
}

static const char *cmd_path(void) {
    static char path[MAX_PATH + 16];
    wchar_t wide[MAX_PATH];
    assert_true(GetSystemDirectoryW(wide, MAX_PATH) > 0);
    snprintf(path, sizeof path, "%ls\\cmd.exe", wide);
    return path;
}

static struct platform_program *recipe(struct bench *bench, const char *path,
                                       const char *const *argv) {
    struct platform_program_spec spec = {.path = path, .argv = argv};
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    return program;
}

#define PROGRAM(bench, path, ...) recipe(bench, path, (const char *const[]){__VA_ARGS__, NULL})

/* One program by pipes, and what goes through it. */
struct pump {
    struct platform_launch launch;
    struct platform_launched made;
    const char *input; /* what it is to read */
    size_t input_bytes, sent_bytes;
    char *output; /* what it has written */
    size_t output_capacity, output_bytes;
    bool output_ended;
    bool has_exited;
};

static void pump_start(struct bench *bench, struct pump *pump,
                       const struct platform_program *program, const char *input, size_t length) {
    pump->launch.program = program;
    pump->launch.streams = PLATFORM_STREAMS_PIPES;
    pump->launch.token = bench_token(bench);
    pump->launch.input_token = bench_token(bench);
    pump->launch.output_token = bench_token(bench);
    pump->input = input;
    pump->input_bytes = length;
    pump->made = bench_start(bench, &pump->launch);
    assert_non_null(pump->made.input);
    assert_non_null(pump->made.output);
}

/* Writes until there is no room; at the end closes. */
static void pump_write(struct bench *bench, struct pump *pump) {
    int result = BATON_OK;
    while (result == BATON_OK && pump->made.input != NULL && pump->sent_bytes < pump->input_bytes) {
        size_t written;
        result =
            platform_stream_write(pump->made.input, pump->input + pump->sent_bytes,
                                  pump->input_bytes - pump->sent_bytes, &written, &bench->cause);
        pump->sent_bytes += written;
    }
    assert_in_set(result, ((const uintmax_t[]){BATON_OK, (uintmax_t)BATON_AGAIN}), 2);
    if (pump->sent_bytes == pump->input_bytes && pump->made.input != NULL) {
        platform_stream_finish(pump->made.input);
        platform_stream_finish(pump->made.input);
        platform_stream_close(&pump->made.input);
    }
}

static void pump_read(struct bench *bench, struct pump *pump) {
    int result = BATON_OK;
    while (result == BATON_OK && !pump->output_ended) {
        size_t got;
        assert_true(pump->output_bytes < pump->output_capacity);
        result =
            platform_stream_read(pump->made.output, pump->output + pump->output_bytes,
                                 pump->output_capacity - pump->output_bytes, &got, &bench->cause);
        pump->output_bytes += got;
        pump->output_ended = result == BATON_END;
    }
    if (result != BATON_AGAIN && result != BATON_END) {
        fail_msg("read: %s: %s %ld", baton_error_text(result), bench->cause.call,
                 bench->cause.system_code);
    }
}

static size_t count_unfinished(const struct pump *pumps, size_t count) {
    size_t unfinished = 0;
    for (size_t i = 0; i < count; i++) {
        unfinished += !pumps[i].output_ended || !pumps[i].has_exited;
    }
    return unfinished;
}

static void pumps_hear(struct bench *bench, struct pump *pumps, size_t count,
                       const struct platform_event *event) {
    for (size_t i = 0; i < count; i++) {
        if (event->kind == PLATFORM_EVENT_EXIT && event->token == pumps[i].launch.token) {
            assert_false(pumps[i].has_exited);
            pumps[i].has_exited = true;
        } else if (event->kind == PLATFORM_EVENT_STREAM) {
            if (event->token == pumps[i].launch.input_token && pumps[i].made.input != NULL) {
                pump_write(bench, &pumps[i]);
            } else if (event->token == pumps[i].launch.output_token) {
                pump_read(bench, &pumps[i]);
            }
        }
    }
}

/* Goes on until all have written their last byte and have ended. */
static void pumps_run(struct bench *bench, struct pump *pumps, size_t count) {
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    for (size_t i = 0; i < count; i++) {
        pump_write(bench, &pumps[i]);
        pump_read(bench, &pumps[i]);
    }
    while (count_unfinished(pumps, count) > 0) {
        struct platform_event events[16];
        int heard = platform_wait(bench->platform, events, 16, deadline_us, &bench->cause);
        if (heard <= 0 || platform_now_us(bench->platform) >= deadline_us) {
            fail_msg("%u pumps do not end", (unsigned)count_unfinished(pumps, count));
        }
        for (int i = 0; i < heard; i++) {
            pumps_hear(bench, pumps, count, &events[i]);
        }
    }
}

static uint32_t pump_close(struct pump *pump) {
    uint32_t code = platform_process_exit(pump->made.process).code;
    platform_stream_close(&pump->made.input);
    platform_stream_close(&pump->made.output);
    platform_process_close(&pump->made.process);
    return code;
}

/* Bytes of all values, the same on every run; no byte but its place tells where it belongs. */
static void fill_pattern(char *bytes, size_t length, uint32_t seed) {
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (char)(seed >> 24);
    }
}

static void test_c_program_by_pipes(void **state) {
    enum { LENGTH = 1 << 20 };
    static char input[LENGTH];
    static char output[LENGTH + 1];
    struct bench *bench = *state;
    struct platform_program *program = PROGRAM(bench, console_path(), "console", "copy", "7");
    struct pump pump = {.output = output, .output_capacity = sizeof output};
    fill_pattern(input, sizeof input, 1);
    pump_start(bench, &pump, program, input, sizeof input);
    platform_program_destroy(&program);
    pumps_run(bench, &pump, 1);
    assert_int_equal(pump.output_bytes, LENGTH);
    assert_memory_equal(output, input, LENGTH);
    assert_int_equal(pump_close(&pump), 7);
}

/* Puts a pipe of messages in the place of a stream's own. */
static HANDLE use_messages(struct platform_stream *stream) {
    static const wchar_t name[] = L"\\\\.\\pipe\\baton-test-writing-nothing";
    CloseHandle(stream->end.handle);
    stream->end.handle = CreateNamedPipeW(
        name, PIPE_ACCESS_INBOUND | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
        PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_REJECT_REMOTE_CLIENTS, 1, 65536, 65536, 0,
        NULL);
    assert_true(stream->end.handle != INVALID_HANDLE_VALUE);
    HANDLE writer = CreateFileW(name, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(writer != INVALID_HANDLE_VALUE);
    return writer;
}

/* Wine 8 does not pass on that nothing was written, but as a message. */
static void test_empty_reads_are_not_the_end(void **state) {
    static const int counts[] = {1, 2, 200};
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct platform_stream *stream;
        HANDLE theirs;
        DWORD written;
        char bytes[8];
        size_t got;
        assert_int_equal(win32_stream_pipe_open(bench->platform, STREAM_FROM_PROGRAM,
                                                bench_token(bench), &stream, &theirs,
                                                &bench->cause),
                         BATON_OK);
        CloseHandle(theirs);
        HANDLE writer = use_messages(stream);
        assert_int_equal(platform_stream_read(stream, bytes, sizeof bytes, &got, &bench->cause),
                         BATON_AGAIN);
        for (int sent = 0; sent < counts[i]; sent++) {
            assert_true(WriteFile(writer, "", 0, &written, NULL));
        }
        assert_true(WriteFile(writer, "bye", 3, &written, NULL));
        CloseHandle(writer);
        bench_await(bench, PLATFORM_EVENT_STREAM, stream->token);
        assert_int_equal(platform_stream_read(stream, bytes, sizeof bytes, &got, &bench->cause),
                         BATON_OK);
        assert_int_equal(got, 3);
        assert_memory_equal(bytes, "bye", 3);
        assert_int_equal(platform_stream_read(stream, bytes, sizeof bytes, &got, &bench->cause),
                         BATON_END);
        platform_stream_close(&stream);
    }
}

/* The first one ends a read that is under way; the others and the words are in the pipe by the time
 * of the exit, after which BATON_AGAIN is the end for those who pump. */
static void test_writing_nothing_hides_nothing(void **state) {
    static const char *const times[] = {"2", "200"};
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char output[8] = "";
        struct pump pump = {.output = output, .output_capacity = sizeof output - 1};
        struct platform_program *program =
            PROGRAM(bench, console_path(), "console", "nothing", "6", times[i]);
        pump_start(bench, &pump, program, "", 0);
        platform_program_destroy(&program);
        pump_read(bench, &pump);
        assert_false(pump.output_ended);
        pump_write(bench, &pump); /* the end of its input, for which it waits */
        assert_int_equal(bench_await_exit(bench, &pump.made.process, pump.launch.token).code, 6);
        pump_read(bench, &pump);
        assert_string_equal(output, "bye");
        platform_stream_close(&pump.made.output);
    }
}

/* Wine 8's cmd.exe loses what follows a line in the same read, so each waits for its answer. */
static const char *const cmd_dialogue[][2] = {
    {"echo first\r\n", "first"}, {"set /a 6*7\r\n", "42"}, {"exit 3\r\n", NULL}};
#define CMD_DIALOGUE_COUNT (sizeof cmd_dialogue / sizeof cmd_dialogue[0])

static void test_cmd_by_pipes(void **state) {
    static char output[4096];
    struct bench *bench = *state;
    struct platform_program *program = PROGRAM(bench, cmd_path(), "cmd", "/d", "/q");
    struct pump pump = {.output = output, .output_capacity = sizeof output - 1};
    memset(output, 0, sizeof output);
    pump_start(bench, &pump, program, "", 0);
    platform_program_destroy(&program);
    for (size_t i = 0; i < CMD_DIALOGUE_COUNT; i++) {
        const char *line = cmd_dialogue[i][0];
        assert_int_equal(
            bench_stream_write(bench, pump.made.input, pump.launch.input_token, line, strlen(line)),
            BATON_OK);
        while (cmd_dialogue[i][1] != NULL && strstr(output, cmd_dialogue[i][1]) == NULL) {
            assert_int_equal(bench_stream_read(bench, pump.made.output, pump.launch.output_token,
                                               output + pump.output_bytes++, 1),
                             BATON_OK);
        }
    }
    pumps_run(bench, &pump, 1);
    assert_int_equal(pump_close(&pump), 3);
}

/* A connection as stdio mode gets it. */
static struct bench_connection connect_plain(struct bench *bench) {
    struct bench_connection made;
    uint64_t token;
    made.address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(&made.address);
    spec.is_plain = true;
    made.listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(made.listener, &made.address);
    made.socket = bench_accept(bench, made.listener, token, &made.client);
    return made;
}

static bool can_be_bound(struct platform_socket socket, DWORD *error) {
    HANDLE port = CreateIoCompletionPort((HANDLE)socket.value, NULL, 1, 1);
    *error = port == NULL ? GetLastError() : ERROR_SUCCESS;
    if (port != NULL) {
        CloseHandle(port);
    }
    return port != NULL;
}

static void test_the_mode_decides_the_attribute(void **state) {
    struct bench *bench = *state;
    struct bench_connection plain = connect_plain(bench);
    struct bench_connection overlapped = bench_connect(bench);
    DWORD error;
    assert_false(can_be_bound(plain.socket, &error));
    assert_int_equal(error, ERROR_INVALID_PARAMETER);
    assert_true(can_be_bound(overlapped.socket, &error));
    bench_disconnect(bench, &plain);
    bench_disconnect(bench, &overlapped);
}

/* Launches with the connection as input and output, and closes our copy. */
static struct platform_launched serve(struct bench *bench, struct bench_connection *connection,
                                      struct platform_program *program, bool error_follows_output,
                                      uint64_t *token) {
    *token = bench_token(bench);
    struct platform_launch how = {.program = program,
                                  .output = bench->output,
                                  .streams = PLATFORM_STREAMS_SOCKET,
                                  .error_follows_output = error_follows_output,
                                  .socket = connection->socket,
                                  .token = *token};
    struct platform_launched made = bench_start(bench, &how);
    DWORD flags = HANDLE_FLAG_INHERIT;
    assert_true(GetHandleInformation((HANDLE)connection->socket.value, &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    assert_null(made.input);
    assert_null(made.output);
    bench_close_socket(bench, &connection->socket);
    platform_program_destroy(&program);
    return made;
}

static void test_c_program_by_a_socket(void **state) {
    char text[128];
    struct bench *bench = *state;
    struct bench_connection connection = connect_plain(bench);
    uint64_t token;
    client_send(connection.client, "one\n"); /* before there is a program */
    struct platform_launched made = serve(
        bench, &connection, PROGRAM(bench, console_path(), "console", "answer", "5"), true, &token);
    static const char answer[] = "you said one\n";
    for (size_t done = 0; done < sizeof answer - 1;) {
        int got = recv((SOCKET)connection.client, text + done, (int)(sizeof answer - 1 - done), 0);
        assert_true(got > 0);
        done += (size_t)got;
    }
    assert_memory_equal(text, answer, sizeof answer - 1);
    client_send(connection.client, "two\n");
    client_end_sending(connection.client);
    client_receive_all(connection.client, text, sizeof text);
    assert_string_equal(text, "you said two\nbye\n");
    assert_int_equal(bench_await_exit(bench, &made.process, token).code, 5);
    bench_disconnect(bench, &connection);
}

static void test_cmd_by_a_socket(void **state) {
    char text[4096];
    struct bench *bench = *state;
    struct bench_connection connection = connect_plain(bench);
    uint64_t token;
    struct platform_launched made =
        serve(bench, &connection, PROGRAM(bench, cmd_path(), "cmd", "/d", "/q"), true, &token);
    memset(text, 0, sizeof text);
    size_t done = 0;
    for (size_t i = 0; i < CMD_DIALOGUE_COUNT; i++) {
        client_send(connection.client, cmd_dialogue[i][0]);
        while (cmd_dialogue[i][1] != NULL && strstr(text, cmd_dialogue[i][1]) == NULL) {
            assert_int_equal(recv((SOCKET)connection.client, text + done++, 1, 0), 1);
        }
    }
    client_receive_all(connection.client, text, sizeof text);
    assert_int_equal(bench_await_exit(bench, &made.process, token).code, 3);
    bench_disconnect(bench, &connection);
}

static void test_where_errors_go(void **state) {
    struct bench *bench = *state;
    for (int follows = 0; follows < 2; follows++) {
        char text[128];
        uint64_t token;
        struct bench_connection connection = connect_plain(bench);
        bench_forget_text(bench);
        struct platform_launched made = serve(
            bench, &connection, PROGRAM(bench, console_path(), "console", "both"), follows, &token);
        client_receive_all(connection.client, text, sizeof text);
        assert_string_equal(text, follows ? "to output\nto error\n" : "to output\n");
        if (!follows) {
            bench_await_text(bench, "to error\n");
        }
        assert_null(strstr(bench->text, "to output"));
        assert_int_equal(bench_await_exit(bench, &made.process, token).code, 0);
        bench_disconnect(bench, &connection);
    }
    for (int follows = 0; follows < 2; follows++) {
        char output[128] = "";
        struct platform_program *program = PROGRAM(bench, console_path(), "console", "both");
        struct pump pump = {.output = output, .output_capacity = sizeof output - 1};
        pump.launch.error_follows_output = follows;
        pump_start(bench, &pump, program, "", 0);
        platform_program_destroy(&program);
        pumps_run(bench, &pump, 1);
        assert_string_equal(output, follows ? "to output\nto error\n" : "to output\n");
        pump_close(&pump);
    }
}

/* How many handles the child was given, by its own count. */
static int count_handles(const char *text) {
    int count = 0;
    for (const char *at = text; *at != '\0' && *at != '|'; at++) {
        count += *at == ' ';
    }
    assert_memory_equal(text, "handles ", 8);
    return count - 1;
}

static void test_programs_get_their_streams_only(void **state) {
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    HANDLE bait = CreateEventW(&inheritable, TRUE, FALSE, NULL);
    struct bench *bench = *state;
    for (int follows = 0; follows < 2; follows++) {
        char text[512] = "";
        uint64_t token;
        struct bench_connection other = connect_plain(bench); /* that nobody gets */
        struct bench_connection connection = connect_plain(bench);
        struct platform_launched made =
            serve(bench, &connection,
                  PROGRAM(bench, bench_child_path(), "platform_child", "handles"), follows, &token);
        client_receive_all(connection.client, text, sizeof text);
        assert_int_equal(count_handles(text), follows ? 1 : 2); /* the socket, and the log */
        assert_int_equal(bench_await_exit(bench, &made.process, token).code, 0);
        bench_disconnect(bench, &connection);
        bench_disconnect(bench, &other);

        struct platform_program *program =
            PROGRAM(bench, bench_child_path(), "platform_child", "handles");
        struct pump pump = {.output = text, .output_capacity = sizeof text - 1};
        pump.launch.error_follows_output = follows;
        memset(text, 0, sizeof text);
        pump_start(bench, &pump, program, "", 0);
        platform_program_destroy(&program);
        pumps_run(bench, &pump, 1);
        assert_int_equal(count_handles(text), follows ? 2 : 3); /* the null device */
        pump_close(&pump);
    }
    CloseHandle(bait);
}

/* The child by pipes, which copies its input until its end. */
static struct platform_program *copy_recipe(struct bench *bench) {
    return PROGRAM(bench, bench_child_path(), "platform_child", "copy-input");
}

static void one_pump(struct bench *bench, const struct platform_program *program) {
    static const char input[] = "through the pump";
    char output[64] = "";
    struct pump pump = {.output = output, .output_capacity = sizeof output - 1};
    pump_start(bench, &pump, program, input, sizeof input - 1);
    pumps_run(bench, &pump, 1);
    assert_string_equal(output, input);
    assert_int_equal(pump_close(&pump), 0);
}

static void test_no_handle_is_left_by_launches(void **state) {
    enum { ROUNDS = 100 };
    struct bench *bench = *state;
    struct platform_program *program = copy_recipe(bench);
    for (int i = 0; i < 5; i++) { /* the thread pool makes its own handles when it is first used */
        one_pump(bench, program);
    }
    size_t before_count = system_descriptor_count();
    for (int i = 0; i < ROUNDS; i++) {
        one_pump(bench, program);
    }
    size_t after_count = system_descriptor_count();
    if (after_count >= before_count + ROUNDS / 2) {
        fail_msg("%u handles before, %u after", (unsigned)before_count, (unsigned)after_count);
    }
    platform_program_destroy(&program);
}

static void reopen(struct bench *bench, size_t process_count, size_t stream_count) {
    const struct platform_sizes sizes = {process_count, stream_count, false, 0};
    platform_output_close(&bench->output);
    platform_close(&bench->platform);
    assert_int_equal(platform_open_sized(&sizes, &bench->platform, &bench->cause), BATON_OK);
    assert_int_equal(
        platform_output_open(bench->platform, bench->output_token, &bench->output, &bench->cause),
        BATON_OK);
}

static size_t thread_count(void) {
    size_t count = 0;
    THREADENTRY32 thread = {.dwSize = sizeof thread};
    HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    assert_true(list != INVALID_HANDLE_VALUE);
    for (BOOL more = Thread32First(list, &thread); more; more = Thread32Next(list, &thread)) {
        count += thread.th32OwnerProcessID == GetCurrentProcessId();
    }
    CloseHandle(list);
    return count;
}

static void test_many_pumps_at_once(void **state) {
    enum { LENGTH = 100000 };
    static char input[PUMP_COUNT][LENGTH];
    static char output[PUMP_COUNT][LENGTH + 1];
    static struct pump pumps[PUMP_COUNT];
    struct bench *bench = *state;
    reopen(bench, PUMP_COUNT, (size_t)2 * PUMP_COUNT);
    struct platform_program *program = copy_recipe(bench);
    for (size_t i = 0; i < PUMP_COUNT; i++) {
        pumps[i] = (struct pump){.output = output[i], .output_capacity = LENGTH + 1};
        fill_pattern(input[i], LENGTH, (uint32_t)i);
        pump_start(bench, &pumps[i], program, input[i], LENGTH);
    }
    /* The table is full, and says so. */
    struct platform_launch one_more = pumps[0].launch;
    struct platform_launched made;
    assert_int_equal(bench_launch_as(bench, &one_more, &made), BATON_SHORTAGE);
    assert_null(made.process);
    /* Two streams and an end are watched for each; the pool needs a thread for 63 of these. */
    assert_in_range(thread_count(), 1, PUMP_COUNT / 2);
    pumps_run(bench, pumps, PUMP_COUNT);
    for (size_t i = 0; i < PUMP_COUNT; i++) {
        assert_int_equal(pumps[i].output_bytes, LENGTH);
        assert_memory_equal(output[i], input[i], LENGTH);
        assert_int_equal(pump_close(&pumps[i]), 0);
    }
    one_pump(bench, program); /* all places are free again */
    platform_program_destroy(&program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_the_mode_decides_the_attribute),
        WITH_BENCH(test_c_program_by_pipes),
        WITH_BENCH(test_empty_reads_are_not_the_end),
        WITH_BENCH(test_writing_nothing_hides_nothing),
        WITH_BENCH(test_cmd_by_pipes),
        WITH_BENCH(test_c_program_by_a_socket),
        WITH_BENCH(test_cmd_by_a_socket),
        WITH_BENCH(test_where_errors_go),
        WITH_BENCH(test_programs_get_their_streams_only),
        WITH_BENCH(test_no_handle_is_left_by_launches),
        WITH_BENCH(test_many_pumps_at_once),
    };
    return cmocka_run_group_tests_name("win32_streams", tests, NULL, bench_remove_scratch);
}
