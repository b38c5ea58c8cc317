/*
 * Socket options of a service.
 * https://learn.microsoft.com/windows/win32/winsock/ipproto-tcp-socket-options
 */
#include "listener.h"

#include <mstcpip.h>

#ifndef TCP_KEEPCNT /* not in the headers of mingw-w64 10; Windows 10, version 1703 */
#define TCP_KEEPCNT 16
#endif

/* Windows' own, from the page of SIO_KEEPALIVE_VALS. */
#define KEEPALIVE_IDLE_S 7200u
#define KEEPALIVE_INTERVAL_S 1u

static int set(SOCKET socket, int level, int name, DWORD value, const char *call,
               struct baton_cause *cause) {
    if (setsockopt(socket, level, name, (const char *)&value, (int)sizeof value) != 0) {
        int code = win32_listener_failed(cause, call);
        return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_SYSTEM;
    }
    return BATON_OK;
}

static u_long to_ms(uint32_t seconds, uint32_t if_zero_s) {
    uint32_t wanted_s = seconds > 0 ? seconds : if_zero_s;
    return (u_long)(wanted_s > 0xffffffffu / 1000u ? 0xffffffffu : wanted_s * 1000u);
}

/* Both times go in one call, which every Windows and Wine 8 know; TCP_KEEPIDLE and TCP_KEEPINTVL
 * Wine 8 does not. Where there is no TCP_KEEPCNT the system's number of probes stands: 10.
 * https://learn.microsoft.com/windows/win32/winsock/sio-keepalive-vals */
static int set_keepalive_times(SOCKET socket, const struct socket_options *options,
                               struct baton_cause *cause) {
    int code = BATON_OK;
    if (options->keepalive_idle_s > 0 || options->keepalive_interval_s > 0) {
        struct tcp_keepalive times = {1, to_ms(options->keepalive_idle_s, KEEPALIVE_IDLE_S),
                                      to_ms(options->keepalive_interval_s, KEEPALIVE_INTERVAL_S)};
        DWORD bytes;
        if (WSAIoctl(socket, SIO_KEEPALIVE_VALS, &times, sizeof times, NULL, 0, &bytes, NULL,
                     NULL) != 0) {
            (void)win32_listener_failed(cause, "WSAIoctl(SIO_KEEPALIVE_VALS)");
            code = BATON_SYSTEM;
        }
    }
    if (code == BATON_OK && options->keepalive_count > 0) {
        code = set(socket, IPPROTO_TCP, TCP_KEEPCNT, options->keepalive_count,
                   "setsockopt(TCP_KEEPCNT)", cause);
        if (code == BATON_SYSTEM && cause->system_code == WSAENOPROTOOPT) {
            *cause = (struct baton_cause){NULL, 0};
            code = BATON_OK;
        }
    }
    return code;
}

static int set_tcp(SOCKET socket, const struct socket_options *options, struct baton_cause *cause) {
    int code = BATON_OK;
    if (options->nodelay) {
        code = set(socket, IPPROTO_TCP, TCP_NODELAY, 1, "setsockopt(TCP_NODELAY)", cause);
    }
    if (code == BATON_OK && options->keepalive) {
        code = set(socket, SOL_SOCKET, SO_KEEPALIVE, 1, "setsockopt(SO_KEEPALIVE)", cause);
        if (code == BATON_OK) {
            code = set_keepalive_times(socket, options, cause);
        }
    }
    return code;
}

int win32_listener_set_options(SOCKET socket, const struct socket_options *options,
                               enum platform_protocol protocol, struct baton_cause *cause) {
    int code = BATON_OK;
    if (options->receive_buffer_bytes > 0) {
        code = set(socket, SOL_SOCKET, SO_RCVBUF, options->receive_buffer_bytes,
                   "setsockopt(SO_RCVBUF)", cause);
    }
    if (code == BATON_OK && options->send_buffer_bytes > 0) {
        code = set(socket, SOL_SOCKET, SO_SNDBUF, options->send_buffer_bytes,
                   "setsockopt(SO_SNDBUF)", cause);
    }
    return code == BATON_OK && protocol == PLATFORM_TCP ? set_tcp(socket, options, cause) : code;
}
