/* Accepting from a listener. */
#include "platform/fake/internal.h"

void fake_hide_pids(uint32_t uid) {
    fake_world.hides_pids = true;
    fake_world.local_uid = uid;
}

static struct address peer_address(const struct platform_listener *listener, uint32_t client) {
    bool is_local = listener->face.spec.protocol == PLATFORM_UNIX;
    client += is_local ? 1 : 0; /* no process has the pid 0 */
    uint8_t high = (uint8_t)(client >> 16);
    uint8_t middle = (uint8_t)(client >> 8);
    uint8_t low = (uint8_t)client;
    if (is_local) {
        return (struct address){.family = ADDRESS_UNIX,
                                .has_uid = true,
                                .uid = fake_world.local_uid,
                                .pid = fake_world.hides_pids ? 0 : client};
    }
    return (struct address){
        .family = ADDRESS_IPV4, .bytes = {10, high, middle, low}, .port = 50000};
}

int platform_listener_accept(struct platform_listener *listener, struct platform_socket *out,
                             struct address *peer, struct baton_cause *cause) {
    struct fake_peer *waiting = fake_waiting(listener);
    *out = PLATFORM_SOCKET_NONE;
    if (!listener->face.is_open || listener->face.spec.is_handed_over) {
        fake_wrong("an accept on a listener that is closed, or handed over");
        return BATON_SYSTEM;
    }
    if (waiting == NULL) {
        *cause = (struct baton_cause){0};
        return BATON_AGAIN;
    }
    int code = fake_try(FAKE_ACCEPT, cause);
    if (code == BATON_GONE) {
        waiting->face.refused = true;
    }
    if (code != BATON_OK) {
        return code;
    }
    waiting->face.accepted_number = ++fake_world.accepted_count;
    waiting->face.supervisor_has = true;
    *out = (struct platform_socket){(uintptr_t)fake_number_of(waiting) + 1};
    *peer = peer_address(listener, fake_number_of(waiting));
    waiting->local = listener->address;
    return BATON_OK;
}

bool platform_socket_in_groups(struct platform_socket socket, const uint32_t *gids, size_t count) {
    (void)socket;
    bool is_in = false;
    for (size_t i = 0; i < count; i++) {
        is_in = is_in || gids[i] == fake_world.local_gid;
    }
    return is_in;
}
