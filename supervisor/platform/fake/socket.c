/* Accepted connections, as the supervisor has them. */
#include "platform/fake/internal.h"

#include <string.h>

struct fake_peer *fake_peer_of(struct platform_socket socket) {
    if (socket.value == 0 || socket.value > fake_world.client_count) {
        fake_wrong("a socket that never was");
        return NULL;
    }
    struct fake_peer *peer = fake_world.clients[socket.value - 1];
    if (!peer->face.supervisor_has) {
        fake_wrong("a closed socket was used, or closed again");
        return NULL;
    }
    if (peer->is_watched) {
        fake_wrong("a socket was used while its stream is open");
    }
    return peer;
}

bool platform_socket_is_open(struct platform_socket socket) {
    return socket.value != UINTPTR_MAX;
}

bool platform_socket_local(struct platform_socket socket, struct address *out) {
    const struct fake_peer *peer = fake_peer_of(socket);
    *out = peer == NULL ? (struct address){0} : peer->local;
    return out->family != ADDRESS_NONE;
}

void platform_socket_close(struct platform *platform, struct platform_socket *socket) {
    (void)platform;
    if (!platform_socket_is_open(*socket)) {
        return;
    }
    struct fake_peer *peer = fake_peer_of(*socket);
    if (peer != NULL) {
        peer->face.supervisor_has = false;
        fake_peer_released(peer);
    }
    *socket = PLATFORM_SOCKET_NONE;
}

void platform_socket_end(struct platform *platform, struct platform_socket *socket) {
    platform_socket_close(platform, socket);
}

void platform_socket_drop(struct platform_socket *socket) {
    platform_socket_close(NULL, socket);
}

bool platform_socket_was_reset(struct platform_socket socket) {
    const struct fake_peer *peer = fake_peer_of(socket);
    return peer != NULL && peer->face.was_reset;
}

int platform_socket_put_back(struct platform *platform, struct platform_socket socket,
                             const struct socket_options *options) {
    (void)platform;
    (void)options;
    struct fake_peer *peer = fake_peer_of(socket);
    if (peer != NULL) {
        peer->face.put_back_count++;
    }
    return BATON_OK;
}

int platform_socket_export(struct platform_process *process, uint32_t pid,
                           struct platform_socket socket, uint8_t info[PLATFORM_SOCKET_INFO_BYTES],
                           size_t *length, struct baton_cause *cause) {
    *length = 0;
    bool there = socket.value >= FAKE_LISTENER_SOCKET ? fake_listener_of(socket) != NULL
                                                      : fake_peer_of(socket) != NULL;
    if (!there || pid == 0 || process->face.is_closed) {
        fake_wrong("an export of something that is not there");
        return BATON_SYSTEM;
    }
    int code = fake_try(FAKE_EXPORT, cause);
    if (code == BATON_OK && fake_world.is_windows) {
        memset(info, 0x5a, PLATFORM_SOCKET_INFO_BYTES);
        *length = PLATFORM_SOCKET_INFO_BYTES;
    }
    return code;
}
