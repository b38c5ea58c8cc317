/* A system without room for another socket or packet. It cannot be made, so the calls through which
 * the Windows body asks for one are replaced in this program's own import table. */
#include "harness.h"

#include <winsock2.h>

#include <windows.h>

#include <mswsock.h>

#include "platform/win32/internal.h"

typedef SOCKET(WSAAPI *make_socket)(int family, int type, int protocol, LPWSAPROTOCOL_INFOW info,
                                    GROUP group, DWORD flags);
typedef int(WSAAPI *set_option)(SOCKET socket, int level, int name, const char *value, int length);

typedef BOOL(WINAPI *post_packet)(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED operation);

/* The entries of the import table, as the linker calls them. */
extern make_socket __imp_WSASocketW;
extern set_option __imp_setsockopt;
extern post_packet __imp_PostQueuedCompletionStatus;

static make_socket real_make_socket;
static set_option real_set_option;
static bool sockets_are_short;
static int socket_error = WSAENOBUFS;
static bool options_are_short;

static SOCKET WSAAPI make_socket_or_not(int family, int type, int protocol,
                                        LPWSAPROTOCOL_INFOW info, GROUP group, DWORD flags) {
    if (sockets_are_short) {
        WSASetLastError(socket_error);
        return INVALID_SOCKET;
    }
    return real_make_socket(family, type, protocol, info, group, flags);
}

static int WSAAPI set_option_or_not(SOCKET socket, int level, int name, const char *value,
                                    int length) {
    if (options_are_short && name == SO_UPDATE_ACCEPT_CONTEXT) {
        WSASetLastError(WSAENOBUFS);
        return SOCKET_ERROR;
    }
    return real_set_option(socket, level, name, value, length);
}

typedef LPVOID(WINAPI *allocate_pages)(LPVOID address, SIZE_T length, DWORD type, DWORD access);

extern allocate_pages __imp_VirtualAlloc;

static allocate_pages real_allocate;
static bool memory_is_short;
static int commits_left; /* that are granted all the same */

static LPVOID WINAPI allocate_or_not(LPVOID address, SIZE_T length, DWORD type, DWORD access) {
    if (memory_is_short && type == MEM_COMMIT && commits_left-- <= 0) {
        SetLastError(ERROR_COMMITMENT_LIMIT);
        return NULL;
    }
    return real_allocate(address, length, type, access);
}

static post_packet real_post;
static HANDLE exit_lost; /* an event; NULL = nothing gets lost */

static BOOL WINAPI post_or_not(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED operation) {
    if (exit_lost == NULL) {
        return real_post(port, bytes, key, operation);
    }
    if ((key & ((1u << PACKET_KIND_BITS) - 1u)) == PACKET_EXIT) {
        SetEvent(exit_lost);
    }
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return FALSE;
}

static int replace_imports(void **state) {
    (void)state;
    DWORD ignored;
    void *const entries[] = {&__imp_WSASocketW, &__imp_setsockopt,
                             &__imp_PostQueuedCompletionStatus, &__imp_VirtualAlloc};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        assert_true(VirtualProtect(entries[i], sizeof(void *), PAGE_READWRITE, &ignored));
    }
    real_make_socket = __imp_WSASocketW;
    real_set_option = __imp_setsockopt;
    real_post = __imp_PostQueuedCompletionStatus;
    real_allocate = __imp_VirtualAlloc;
    __imp_WSASocketW = make_socket_or_not;
    __imp_setsockopt = set_option_or_not;
    __imp_PostQueuedCompletionStatus = post_or_not;
    __imp_VirtualAlloc = allocate_or_not;
    return 0;
}

/* A client connects while sockets are there. */
static uintptr_t connect_one(const struct address *address) {
    bool before = sockets_are_short;
    sockets_are_short = false;
    uintptr_t client = client_connect(address);
    sockets_are_short = before;
    return client;
}

static void expect_one(struct bench *bench, struct platform_listener *listener, uint64_t token) {
    struct platform_socket socket;
    assert_int_equal(bench_await_accept(bench, listener, token, &socket), BATON_OK);
    bench_close_socket(bench, &socket);
}

static void expect_shortage(struct bench *bench, struct platform_listener *listener) {
    struct platform_socket socket;
    assert_int_equal(bench_try_accept(bench, listener, &socket), BATON_SHORTAGE);
    assert_false(platform_socket_is_open(socket));
    assert_non_null(bench->cause.call);
}

/* Takes what is under way, so that nothing is, because no socket can be made for the next one. */
static void come_to_a_shortage(struct bench *bench, struct platform_listener *listener,
                               uint64_t token) {
    sockets_are_short = true;
    expect_one(bench, listener, token);
    bench_forget_events(bench);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    expect_shortage(bench, listener);
}

static void test_paused_and_resumed(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t first = connect_one(&address);
    uintptr_t second = connect_one(&address);
    come_to_a_shortage(bench, listener, token);
    platform_listener_pause(listener);
    bench_forget_events(bench);
    bench_expect_silence(bench);
    platform_listener_resume(listener); /* by timer, perhaps too early */
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    expect_shortage(bench, listener);
    platform_listener_pause(listener);
    bench_forget_events(bench);
    sockets_are_short = false;
    platform_listener_resume(listener);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    expect_one(bench, listener, token);
    client_close(first);
    client_close(second);
    platform_listener_close(&listener);
}

static void test_accept_again_without_a_pause(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t first = connect_one(&address);
    uintptr_t second = connect_one(&address);
    come_to_a_shortage(bench, listener, token);
    expect_shortage(bench, listener);
    sockets_are_short = false;
    expect_one(bench, listener, token);
    client_close(first);
    client_close(second);
    platform_listener_close(&listener);
}

/* Resumes it: who comes then is reported. */
static void expect_resumed(struct bench *bench, struct platform_listener *listener, uint64_t token,
                           const struct address *address) {
    platform_listener_resume(listener);
    uintptr_t client = connect_one(address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    expect_one(bench, listener, token);
    client_close(client);
}

static void test_resume_without_a_pause(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client = connect_one(&address);
    come_to_a_shortage(bench, listener, token);
    bench_forget_events(bench);
    sockets_are_short = false;
    expect_resumed(bench, listener, token, &address);
    client_close(client);
    platform_listener_close(&listener);
}

/* What holds for all listeners, and for one. (What concerns one client needs a client.) */
static void test_whom_a_failed_accept_concerns(void **state) {
    static const struct {
        int error, result;
    } cases[] = {
        {WSAENOBUFS, BATON_SHORTAGE},
        {WSAEMFILE, BATON_SHORTAGE},
        {WSA_NOT_ENOUGH_MEMORY, BATON_SHORTAGE},
        {WSAEINVAL, BATON_SYSTEM},
        {WSAEACCES, BATON_SYSTEM},
        {WSAEPROVIDERFAILEDINIT, BATON_SYSTEM},
    };
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_socket socket;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client = connect_one(&address);
    come_to_a_shortage(bench, listener, token);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        socket_error = cases[i].error;
        assert_int_equal(bench_try_accept(bench, listener, &socket), cases[i].result);
        assert_int_equal(bench->cause.system_code, cases[i].error);
        assert_false(platform_socket_is_open(socket));
    }
    /* Where one was at fault it is paused, and resumed by timer. */
    platform_listener_pause(listener);
    bench_forget_events(bench);
    sockets_are_short = false;
    socket_error = WSAENOBUFS;
    expect_resumed(bench, listener, token, &address);
    client_close(client);
    platform_listener_close(&listener);
}

/* Nothing was taken, says the contract: the client is still there when the shortage is over. */
static void test_a_shortage_loses_nobody(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_socket socket;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client = connect_one(&address);
    options_are_short = true;
    assert_int_equal(bench_await_accept(bench, listener, token, &socket), BATON_SHORTAGE);
    expect_shortage(bench, listener);
    platform_listener_pause(listener);
    bench_forget_events(bench);
    options_are_short = false;
    platform_listener_resume(listener);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    assert_int_equal(bench_await_accept(bench, listener, token, &socket), BATON_OK);
    client_send(client, "x");
    char byte = 0;
    assert_int_equal(recv((SOCKET)socket.value, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

static void test_what_was_not_posted_is_told(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "prepare-go", "print:ready", "wait-for-go", "hello", "exit:3");
    bench_await_text(bench, "ready\n");
    exit_lost = CreateEventW(NULL, TRUE, FALSE, NULL);
    assert_non_null(exit_lost);
    HANDLE event = exit_lost;
    system_go(platform_process_pid(process));
    assert_true(win32_console_stop(CTRL_C_EVENT));
    assert_int_equal(WaitForSingleObject(event, 20000), WAIT_OBJECT_0);
    exit_lost = NULL;
    CloseHandle(event);
    bench_await(bench, PLATFORM_EVENT_STOP, 0);
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    assert_int_equal(bench_finish(bench, &process, token).code, 3);
}

/* Each table in turn: that of the processes, then of the streams and their buffers, then of the
 * pipes. What was there before is used again, and when there is memory all goes on. */
static void test_no_memory_for_a_place(void **state) {
    struct bench *bench = *state;
    struct platform_program *program =
        BENCH_RECIPE(bench, (struct platform_program_spec){.has_channel = true}, "exit:0");
    struct platform_launch launch = {.program = program,
                                     .nonce_hex = BENCH_NONCE,
                                     .output = bench->output,
                                     .streams = PLATFORM_STREAMS_PIPES,
                                     .socket = PLATFORM_SOCKET_NONE};
    struct platform_launched made;
    int tries = 0;
    int result;
    do {
        launch.token = bench_token(bench);
        memory_is_short = true;
        commits_left = tries;
        result = bench_launch_as(bench, &launch, &made);
        memory_is_short = false;
        if (result != BATON_OK) {
            assert_int_equal(result, BATON_SHORTAGE);
            assert_string_equal(bench->cause.call, "VirtualAlloc");
            assert_null(made.process);
        }
        tries++;
    } while (result != BATON_OK && tries < 10);
    assert_int_equal(result, BATON_OK);
    assert_true(tries >= 3);
    platform_stream_close(&made.input);
    platform_stream_close(&made.output);
    assert_int_equal(bench_finish(bench, &made.process, launch.token).code, 0);
    platform_program_destroy(&program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_paused_and_resumed),
        WITH_BENCH(test_accept_again_without_a_pause),
        WITH_BENCH(test_resume_without_a_pause),
        WITH_BENCH(test_a_shortage_loses_nobody),
        WITH_BENCH(test_what_was_not_posted_is_told),
        WITH_BENCH(test_no_memory_for_a_place),
        WITH_BENCH(test_whom_a_failed_accept_concerns),
    };
    return cmocka_run_group_tests_name("win32_shortage", tests, replace_imports, NULL);
}
