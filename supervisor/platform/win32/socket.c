#include "internal.h"
#include "listener.h"

#include <string.h>

_Static_assert(sizeof(WSAPROTOCOL_INFOW) == PLATFORM_SOCKET_INFO_BYTES,
               "the protocol info has one size on 32 and 64 bits");

bool platform_socket_is_open(struct platform_socket socket) {
    return socket.value != UINTPTR_MAX;
}

static DWORD WINAPI close_elsewhere(void *socket) {
    closesocket((SOCKET)(UINT_PTR)socket);
    WSACleanup();
    return 0;
}

/* closesocket() of a blocking socket waits as SO_LINGER says. A thread of the system's pool may. It
 * counts as one more user of Winsock until then: the last WSACleanup() closes what is open, and a
 * thread that came later would close whoever has the number by then.
 * https://learn.microsoft.com/windows/win32/api/winsock/nf-winsock-wsacleanup
 * https://learn.microsoft.com/windows/win32/api/winsock/nf-winsock-closesocket */
void platform_socket_close(struct platform *platform, struct platform_socket *socket) {
    (void)platform;
    WSADATA data;
    bool is_open = platform_socket_is_open(*socket);
    bool is_counted = is_open && WSAStartup(MAKEWORD(2, 2), &data) == 0;
    if (is_open && !(is_counted && QueueUserWorkItem(close_elsewhere, (void *)socket->value,
                                                     WT_EXECUTELONGFUNCTION))) {
        const struct linger off = {0, 0};
        setsockopt((SOCKET)socket->value, SOL_SOCKET, SO_LINGER, (const char *)&off, sizeof off);
        closesocket((SOCKET)socket->value);
        if (is_counted) {
            WSACleanup();
        }
    }
    *socket = PLATFORM_SOCKET_NONE;
}

/* What was offered and not taken is a description, and holds no connection. */
void platform_socket_end(struct platform *platform, struct platform_socket *socket) {
    platform_socket_close(platform, socket);
}

void platform_socket_drop(struct platform_socket *socket) {
    if (platform_socket_is_open(*socket)) {
        closesocket((SOCKET)socket->value);
    }
    *socket = PLATFORM_SOCKET_NONE;
}

bool platform_socket_was_reset(struct platform_socket socket) {
    WSAPOLLFD poll = {.fd = (SOCKET)socket.value, .events = POLLRDNORM};
    if (!platform_socket_is_open(socket) || WSAPoll(&poll, 1, 0) != 1 ||
        (poll.revents & (POLLRDNORM | POLLERR | POLLHUP)) == 0) {
        return false;
    }
    if ((poll.revents & POLLERR) != 0) {
        return true;
    }
    /* A hang-up alone proves nothing: an orderly end of sending is reported as one, too. The socket
     * is blocking, but what WSAPoll() has just named lets recv() return at once. */
    char byte;
    return recv((SOCKET)socket.value, &byte, 1, MSG_PEEK) == SOCKET_ERROR;
}

int platform_socket_put_back(struct platform *platform, struct platform_socket socket,
                             const struct socket_options *options) {
    (void)platform;
    SOCKET s = (SOCKET)socket.value;
    const struct linger no_linger = {0};
    const struct {
        int level, name;
        DWORD value;
    } fresh[] = {{SOL_SOCKET, SO_RCVTIMEO, 0},
                 {SOL_SOCKET, SO_SNDTIMEO, 0},
                 {SOL_SOCKET, SO_OOBINLINE, 0},
                 {SOL_SOCKET, SO_KEEPALIVE, options->keepalive},
                 {IPPROTO_TCP, TCP_NODELAY, options->nodelay}};
    u_long blocking = 0;
    (void)WSAEventSelect(s, NULL, 0);
    (void)ioctlsocket(s, FIONBIO, &blocking);
    (void)setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&no_linger, sizeof no_linger);
    for (size_t i = 0; i < sizeof fresh / sizeof fresh[0]; i++) {
        (void)setsockopt(s, fresh[i].level, fresh[i].name, (const char *)&fresh[i].value,
                         sizeof fresh[i].value);
    }
    return BATON_OK;
}

int platform_socket_export(struct platform_process *process, uint32_t pid,
                           struct platform_socket socket, uint8_t info[PLATFORM_SOCKET_INFO_BYTES],
                           size_t *length, struct baton_cause *cause) {
    *length = 0;
    /* Who spoke may have died since, and its id may be a stranger's by now; while we hold it open,
     * the id stays its own. */
    HANDLE receiver;
    int code = win32_process_open_member(process, pid, &receiver, cause);
    if (code != BATON_OK) {
        return code;
    }
    WSAPROTOCOL_INFOW description;
    /* Windows would make a duplicate for a process that has ended, too, while anybody has a handle
     * to it: we, or who launched it. */
    DWORD error = WaitForSingleObject(receiver, 0) == WAIT_OBJECT_0 ? WSAEINVAL : 0;
    if (error == 0 && WSADuplicateSocketW((SOCKET)socket.value, pid, &description) != 0) {
        error = (DWORD)WSAGetLastError();
    }
    CloseHandle(receiver);
    if (error != 0) {
        code = win32_cause_of(cause, "WSADuplicateSocketW", error);
        if (error == WSAEINVAL || error == ERROR_INVALID_PARAMETER) {
            return BATON_GONE;
        }
        return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_SYSTEM;
    }
    memcpy(info, &description, sizeof description);
    *length = sizeof description;
    return BATON_OK;
}

socklen_t win32_address_to_system(const struct address *address, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (address->family == ADDRESS_IPV4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        memcpy(&v4->sin_addr, address->bytes, 4);
        return (socklen_t)sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address->port);
    v6->sin6_scope_id = address->scope_id;
    memcpy(&v6->sin6_addr, address->bytes, 16);
    return (socklen_t)sizeof *v6;
}

bool win32_address_from_system(const struct sockaddr_storage *from, struct address *out) {
    memset(out, 0, sizeof *out);
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        out->family = ADDRESS_IPV4;
        out->port = ntohs(v4->sin_port);
        memcpy(out->bytes, &v4->sin_addr, 4);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        out->family = ADDRESS_IPV6;
        out->port = ntohs(v6->sin6_port);
        out->scope_id = v6->sin6_scope_id;
        memcpy(out->bytes, &v6->sin6_addr, 16);
        /* What a socket for both families calls an IPv4 client. */
        address_unmap(out);
        return true;
    }
    return false;
}

bool platform_socket_local(struct platform_socket socket, struct address *out) {
    *out = (struct address){0};
    return win32_listener_name_of((SOCKET)socket.value, getsockname, out);
}
