/* Linked to a program of tests, this takes AcceptEx from it, as other software does that knows
 * accept() alone: all its listeners fall back, each says so once, and else there is no difference.
 */
#include "harness.h"

#include <winsock2.h>

#include <windows.h>

#include <mswsock.h>

typedef int(WSAAPI *control_socket)(SOCKET socket, DWORD what, LPVOID in, DWORD in_bytes,
                                    LPVOID out, DWORD out_bytes, LPDWORD got_bytes,
                                    LPWSAOVERLAPPED operation,
                                    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

extern control_socket __imp_WSAIoctl;

static control_socket real_control;

static int WSAAPI control_or_not(SOCKET socket, DWORD what, LPVOID in, DWORD in_bytes, LPVOID out,
                                 DWORD out_bytes, LPDWORD got_bytes, LPWSAOVERLAPPED operation,
                                 LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    if (what == SIO_GET_EXTENSION_FUNCTION_POINTER) {
        WSASetLastError(WSAEINVAL);
        return SOCKET_ERROR;
    }
    return real_control(socket, what, in, in_bytes, out, out_bytes, got_bytes, operation, routine);
}

static void __attribute__((constructor)) replace_import(void) {
    DWORD ignored;
    if (!VirtualProtect(&__imp_WSAIoctl, sizeof(void *), PAGE_READWRITE, &ignored)) {
        abort();
    }
    real_control = __imp_WSAIoctl;
    __imp_WSAIoctl = control_or_not;
}

/* By the linker's --wrap. */
int __real_platform_listener_open(struct platform *platform,
                                  const struct platform_listener_spec *spec, uint64_t token,
                                  struct platform_listener **out, struct baton_cause *cause);
int __wrap_platform_listener_open(struct platform *platform,
                                  const struct platform_listener_spec *spec, uint64_t token,
                                  struct platform_listener **out, struct baton_cause *cause);

int __wrap_platform_listener_open(struct platform *platform,
                                  const struct platform_listener_spec *spec, uint64_t token,
                                  struct platform_listener **out, struct baton_cause *cause) {
    int result = __real_platform_listener_open(platform, spec, token, out, cause);
    if (result == BATON_OK && !spec->is_handed_over && spec->protocol != PLATFORM_UDP) {
        struct platform_socket socket;
        struct address peer;
        struct baton_cause told;
        assert_int_equal(platform_listener_accept(*out, &socket, &peer, &told), BATON_SYSTEM);
        assert_non_null(strstr(told.call, "accept() is used"));
        assert_int_equal(told.system_code, WSAEINVAL);
    }
    return result;
}
