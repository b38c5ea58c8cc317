/* AcceptEx that other software has broken, in each of the ways in which it can be: the calls are
 * replaced in this program's own import table, and AcceptEx where the system gives it out. What
 * holds of every listener is tested without AcceptEx, too: without_accept_ex_win32.c. */
#include "harness.h"

#include <winsock2.h>

#include <windows.h>

#include <mswsock.h>

typedef int(WSAAPI *control_socket)(SOCKET socket, DWORD what, LPVOID in, DWORD in_bytes,
                                    LPVOID out, DWORD out_bytes, LPDWORD got_bytes,
                                    LPWSAOVERLAPPED operation,
                                    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
typedef BOOL(WSAAPI *take_result)(SOCKET socket, LPWSAOVERLAPPED operation, LPDWORD bytes,
                                  BOOL waits, LPDWORD flags);
typedef int(WSAAPI *set_option)(SOCKET socket, int level, int name, const char *value, int length);
typedef SOCKET(WSAAPI *take_client)(SOCKET socket, struct sockaddr *name, int *length);

extern control_socket __imp_WSAIoctl;
extern take_result __imp_WSAGetOverlappedResult;
extern set_option __imp_setsockopt;
extern take_client __imp_accept;

static control_socket real_control;
static take_result real_result;
static set_option real_set_option;
static take_client real_accept;
static LPFN_ACCEPTEX real_accept_ex;

/* What fails, how often it does so still, and how. */
enum step { STEP_NONE, STEP_POINTER, STEP_CALL, STEP_RESULT, STEP_UPDATE, STEP_ACCEPT };
static enum step failing;
static int fails_count;
static int failing_error;

static bool fails(enum step step) {
    if (failing != step || fails_count == 0) {
        return false;
    }
    fails_count--;
    WSASetLastError(failing_error);
    return true;
}

static void let_fail(enum step step, int count, int error) {
    failing = step;
    fails_count = count;
    failing_error = error;
}

static BOOL WSAAPI accept_ex_or_not(SOCKET listening, SOCKET accepted, PVOID room, DWORD data_bytes,
                                    DWORD local_bytes, DWORD remote_bytes, LPDWORD got_bytes,
                                    LPOVERLAPPED operation) {
    return !fails(STEP_CALL) && real_accept_ex(listening, accepted, room, data_bytes, local_bytes,
                                               remote_bytes, got_bytes, operation);
}

static int WSAAPI control_or_not(SOCKET socket, DWORD what, LPVOID in, DWORD in_bytes, LPVOID out,
                                 DWORD out_bytes, LPDWORD got_bytes, LPWSAOVERLAPPED operation,
                                 LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const LPFN_ACCEPTEX ours = accept_ex_or_not;
    if (what == SIO_GET_EXTENSION_FUNCTION_POINTER && fails(STEP_POINTER)) {
        return SOCKET_ERROR;
    }
    int result =
        real_control(socket, what, in, in_bytes, out, out_bytes, got_bytes, operation, routine);
    if (what == SIO_GET_EXTENSION_FUNCTION_POINTER && result == 0) {
        memcpy(&real_accept_ex, out, sizeof real_accept_ex);
        memcpy(out, &ours, sizeof ours);
    }
    return result;
}

static BOOL WSAAPI result_or_not(SOCKET socket, LPWSAOVERLAPPED operation, LPDWORD bytes,
                                 BOOL waits, LPDWORD flags) {
    BOOL done = real_result(socket, operation, bytes, waits, flags);
    return done && !waits ? !fails(STEP_RESULT) : done;
}

static int WSAAPI set_option_or_not(SOCKET socket, int level, int name, const char *value,
                                    int length) {
    return name == SO_UPDATE_ACCEPT_CONTEXT && fails(STEP_UPDATE)
               ? SOCKET_ERROR
               : real_set_option(socket, level, name, value, length);
}

static SOCKET WSAAPI accept_or_not(SOCKET socket, struct sockaddr *name, int *length) {
    return fails(STEP_ACCEPT) ? INVALID_SOCKET : real_accept(socket, name, length);
}

static int replace_imports(void **state) {
    (void)state;
    DWORD ignored;
    void *const entries[] = {&__imp_WSAIoctl, &__imp_WSAGetOverlappedResult, &__imp_setsockopt,
                             &__imp_accept};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        assert_true(VirtualProtect(entries[i], sizeof(void *), PAGE_READWRITE, &ignored));
    }
    real_control = __imp_WSAIoctl;
    real_result = __imp_WSAGetOverlappedResult;
    real_set_option = __imp_setsockopt;
    real_accept = __imp_accept;
    __imp_WSAIoctl = control_or_not;
    __imp_WSAGetOverlappedResult = result_or_not;
    __imp_setsockopt = set_option_or_not;
    __imp_accept = accept_or_not;
    return 0;
}

static void expect_byte(struct platform_socket socket, uintptr_t client) {
    char byte = 0;
    client_send(client, "x");
    assert_int_equal(recv((SOCKET)socket.value, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
}

static void expect_client(struct bench *bench, struct platform_listener *listener, uint64_t token,
                          uintptr_t client) {
    struct platform_socket socket;
    assert_int_equal(bench_await_accept(bench, listener, token, &socket), BATON_OK);
    expect_byte(socket, client);
    bench_close_socket(bench, &socket);
    client_close(client);
}

/* An event tells of it, as nobody may come for long; and then no word more. */
static void expect_told_as(struct bench *bench, struct platform_listener *listener, uint64_t token,
                           int error, const char *call) {
    struct platform_socket socket;
    assert_int_equal(bench_await_accept(bench, listener, token, &socket), BATON_SYSTEM);
    assert_false(platform_socket_is_open(socket));
    assert_string_equal(bench->cause.call, call);
    assert_int_equal(bench->cause.system_code, error);
}

static void expect_told(struct bench *bench, struct platform_listener *listener, uint64_t token,
                        int error) {
    expect_told_as(bench, listener, token, error, "AcceptEx (accept() is used from now on)");
}

static void test_broken_from_the_start(void **state) {
    static const struct {
        enum step step;
        int error;
    } cases[] = {
        {STEP_POINTER, WSAEOPNOTSUPP},
        {STEP_POINTER, WSAEINVAL},
        {STEP_POINTER, WSASYSCALLFAILURE},
        {STEP_CALL, WSAENOTSOCK},
        {STEP_CALL, WSAEOPNOTSUPP},
        {STEP_CALL, WSAEINVAL},
        {STEP_CALL, WSAEFAULT},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t token;
        struct address address;
        let_fail(cases[i].step, -1, cases[i].error);
        struct platform_listener *listener = bench_listen(bench, &token, &address);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        expect_told(bench, listener, token, cases[i].error);
        bench_forget_events(bench);
        bench_expect_silence(bench);
        expect_client(bench, listener, token, client_connect(&address));
        platform_listener_close(&listener);
    }
    let_fail(STEP_NONE, 0, 0);
}

/* Who waits is served, once somebody has found out. */
static void test_broken_later(void **state) {
    static const enum step steps[] = {STEP_CALL, STEP_RESULT, STEP_UPDATE};
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        uint64_t token;
        struct address address;
        struct platform_listener *listener = bench_listen(bench, &token, &address);
        uintptr_t lost[3];
        expect_client(bench, listener, token, client_connect(&address));
        let_fail(steps[i], -1, WSAENOTSOCK);
        /* AcceptEx has taken these; the one under way has the first in any case. */
        for (size_t k = 0; k < 3; k++) {
            lost[k] = client_connect(&address);
        }
        if (steps[i] == STEP_CALL) {
            expect_client(bench, listener, token, lost[0]);
        }
        expect_told_as(bench, listener, token, WSAENOTSOCK,
                       steps[i] == STEP_UPDATE
                           ? "AcceptEx (3 clients were lost, accept() is used from now on)"
                           : "AcceptEx (accept() is used from now on)");
        if (steps[i] == STEP_CALL) {
            expect_client(bench, listener, token, lost[1]);
            expect_client(bench, listener, token, lost[2]);
        } else {
            for (size_t k = 0; k < 3; k++) {
                client_close(lost[k]);
            }
        }
        expect_client(bench, listener, token, client_connect(&address));
        platform_listener_close(&listener);
        let_fail(STEP_NONE, 0, 0);
    }
}

/* Two in a row, and what says something about the client or the system, are no reason. */
static void test_what_does_not_break_it(void **state) {
    static const int errors[] = {WSAECONNRESET, WSAENETDOWN};
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_socket socket;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    for (int round = 0; round < 3; round++) {
        let_fail(STEP_CALL, 2, WSAENOTSOCK);
        expect_client(bench, listener, token, client_connect(&address));
        assert_int_equal(fails_count, 0);
    }
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_int_equal(bench_try_accept(bench, listener, &socket),
                         BATON_AGAIN); /* one is under way */
        let_fail(STEP_CALL, -1, errors[i]);
        expect_client(bench, listener, token, client_connect(&address));
        for (int round = 0; round < 5; round++) {
            assert_int_equal(bench_await_accept(bench, listener, token, &socket),
                             errors[i] == WSAECONNRESET ? BATON_GONE : BATON_SYSTEM);
            assert_string_equal(bench->cause.call, "AcceptEx");
        }
        let_fail(STEP_NONE, 0, 0);
    }
    /* It is AcceptEx still: accept() would fail. */
    let_fail(STEP_ACCEPT, -1, WSAENOTSOCK);
    expect_client(bench, listener, token, client_connect(&address));
    let_fail(STEP_NONE, 0, 0);
    platform_listener_close(&listener);
}

static struct platform_listener *open_broken(struct bench *bench, bool is_plain, uint64_t *token,
                                             struct address *address) {
    *address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(address);
    spec.is_plain = is_plain;
    let_fail(STEP_POINTER, -1, WSAEOPNOTSUPP);
    struct platform_listener *listener = bench_listen_as(bench, &spec, token);
    let_fail(STEP_NONE, 0, 0);
    expect_told(bench, listener, *token, WSAEOPNOTSUPP);
    platform_listener_address(listener, address);
    return listener;
}

static DWORD WINAPI receive_one(void *socket) {
    char byte;
    return (DWORD)recv((SOCKET)(UINT_PTR)socket, &byte, 1, 0);
}

/* In a thread, since Wine 8 knows no time limit (SO_RCVTIMEO) for a plain socket. */
static void expect_to_block(SOCKET socket, uintptr_t client) {
    DWORD received = 0;
    HANDLE thread = CreateThread(NULL, 0, receive_one, (void *)socket, 0, NULL);
    assert_non_null(thread);
    assert_int_equal(WaitForSingleObject(thread, 20), WAIT_TIMEOUT);
    client_send(client, "x");
    assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    assert_true(GetExitCodeThread(thread, &received));
    assert_int_equal(received, 1);
    CloseHandle(thread);
}

/* As a socket of AcceptEx is: blocking, not inherited, without registration, with the attribute
 * that its mode needs (a plain one refuses a port with 87). */
static void expect_as_accepted(struct bench *bench, struct platform_listener *listener,
                               uint64_t token, const struct address *address, bool is_plain) {
    struct platform_socket socket;
    DWORD flags = HANDLE_FLAG_INHERIT;
    u_long blocking = 0;
    uintptr_t client = client_connect(address);
    assert_int_equal(bench_await_accept(bench, listener, token, &socket), BATON_OK);
    SOCKET accepted = (SOCKET)socket.value;
    expect_to_block(accepted, client);
    assert_int_equal(ioctlsocket(accepted, FIONBIO, &blocking), 0);
    assert_true(GetHandleInformation((HANDLE)accepted, &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    HANDLE port = CreateIoCompletionPort((HANDLE)accepted, NULL, 1, 1);
    assert_int_equal(port == NULL, is_plain);
    if (port == NULL) {
        assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
    } else {
        CloseHandle(port);
    }
    bench_close_socket(bench, &socket);
    client_close(client);
}

static void test_its_sockets_are_as_ever(void **state) {
    struct bench *bench = *state;
    for (int plain = 0; plain < 2; plain++) {
        uint64_t token;
        struct address address;
        struct platform_listener *listener = open_broken(bench, plain, &token, &address);
        expect_as_accepted(bench, listener, token, &address, plain);
        platform_listener_close(&listener);
    }
}

/* It needs another listening socket, while a client of the first one lives on. */
static void test_a_plain_one_broken_later(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_socket first;
    uintptr_t client;
    struct address address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(&address);
    spec.is_plain = true;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, &address);
    let_fail(STEP_CALL, -1, WSAENOTSOCK);
    first = bench_accept(bench, listener, token, &client);
    expect_told(bench, listener, token, WSAENOTSOCK);
    expect_as_accepted(bench, listener, token, &address, true);
    expect_byte(first, client);
    client_close(client);
    bench_close_socket(bench, &first);
    platform_listener_close(&listener);
    let_fail(STEP_NONE, 0, 0);
}

static void test_shortages_and_faults_of_accept(void **state) {
    static const struct {
        int error, result;
    } cases[] = {{WSAEMFILE, BATON_SHORTAGE},
                 {WSAENOBUFS, BATON_SHORTAGE},
                 {WSAECONNRESET, BATON_GONE},
                 {WSAEINVAL, BATON_SYSTEM}};
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_socket socket;
    struct platform_listener *listener = open_broken(bench, false, &token, &address);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uintptr_t client = client_connect(&address);
        bench_forget_events(bench);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        let_fail(STEP_ACCEPT, 4, cases[i].error);
        for (int round = 0; round < 4; round++) {
            assert_int_equal(bench_try_accept(bench, listener, &socket), cases[i].result);
            assert_string_equal(bench->cause.call, "accept");
            assert_int_equal(bench->cause.system_code, cases[i].error);
        }
        platform_listener_pause(listener);
        bench_forget_events(bench);
        bench_expect_rest(bench);
        platform_listener_resume(listener);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        expect_client(bench, listener, token, client);
    }
    platform_listener_close(&listener);
}

/* Nobody waits for who has left, and the next one is told. */
static void test_a_client_that_left_does_not_hold_the_loop(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = open_broken(bench, false, &token, &address);
    client_reset(client_connect(&address));
    bench_forget_events(bench);
    uintptr_t client = client_connect(&address);
    struct platform_socket socket;
    int result = bench_await_accept(bench, listener, token, &socket);
    if (result == BATON_OK &&
        platform_socket_was_reset(socket)) { /* who left was taken all the same */
        bench_close_socket(bench, &socket);
        result = BATON_GONE;
    }
    while (result == BATON_GONE) {
        result = bench_await_accept(bench, listener, token, &socket);
    }
    assert_int_equal(result, BATON_OK);
    expect_byte(socket, client);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_broken_from_the_start),
        WITH_BENCH(test_broken_later),
        WITH_BENCH(test_what_does_not_break_it),
        WITH_BENCH(test_its_sockets_are_as_ever),
        WITH_BENCH(test_a_plain_one_broken_later),
        WITH_BENCH(test_shortages_and_faults_of_accept),
        WITH_BENCH(test_a_client_that_left_does_not_hold_the_loop),
    };
    return cmocka_run_group_tests_name("win32_accept", tests, replace_imports, NULL);
}
