/* Clients. */
#include "platform/fake/internal.h"

#include <string.h>

void fake_peer_released(struct fake_peer *peer) {
    if (peer->face.supervisor_has || peer->face.copy_count > 0) {
        return;
    }
    peer->face.was_cut = !peer->face.was_reset && fake_flow_unread(&peer->sent) > 0;
    peer->face.got_end = !peer->face.was_reset && !peer->face.was_cut;
    peer->sent.broken = peer->received.broken = true;
}

static uint32_t arrive(struct platform_listener *listener) {
    struct fake_world *w = &fake_world;
    if (listener == NULL) {
        return FAKE_NONE;
    }
    struct fake_peer *peer = fake_allocate(sizeof *peer);
    for (uint32_t i = 0; i < w->listener_count; i++) {
        peer->face.listener = w->listeners[i] == listener ? i : peer->face.listener;
    }
    peer->face.is_datagram = listener->face.spec.protocol == PLATFORM_UDP;
    peer->sent.room = peer->received.room = SIZE_MAX;
    fake_text_append(&peer->sent.bytes, "", 0);
    fake_text_append(&peer->received.bytes, "", 0);
    w->clients = fake_grow(w->clients, w->client_count, &w->client_capacity, sizeof(void *));
    w->clients[w->client_count] = peer;
    return w->client_count++;
}

static struct platform_listener *find(enum platform_protocol protocol, uint16_t port,
                                      const char *path) {
    for (uint32_t i = 0; i < fake_world.listener_count; i++) {
        struct platform_listener *l = fake_world.listeners[i];
        if (l->face.is_open && l->face.spec.protocol == protocol &&
            (path == NULL ? l->address.port == port : strcmp(l->face.spec.path, path) == 0)) {
            return l;
        }
    }
    return NULL;
}

uint32_t fake_connect(uint16_t port) {
    return arrive(find(PLATFORM_TCP, port, NULL));
}

uint32_t fake_connect_path(const char *path) {
    return arrive(find(PLATFORM_UNIX, 0, path));
}

uint32_t fake_datagram(uint16_t port) {
    return arrive(find(PLATFORM_UDP, port, NULL));
}

void fake_reset(uint32_t client) {
    struct fake_peer *peer = fake_world.clients[client];
    if (peer->face.is_datagram) {
        return;
    }
    peer->face.was_reset = true;
    peer->sent.broken = peer->received.broken = true;
}

void fake_lose(uint32_t client) {
    struct fake_peer *peer = fake_world.clients[client];
    peer->sent.ended = true;
    peer->received.broken = true;
}

uint32_t fake_client_count(void) {
    return fake_world.client_count;
}

const struct fake_client *fake_client(uint32_t client) {
    return &fake_world.clients[client]->face;
}

uint32_t fake_client_accepted(uint64_t number) {
    for (uint32_t i = 0; i < fake_world.client_count; i++) {
        if (number != 0 && fake_world.clients[i]->face.accepted_number == number) {
            return i;
        }
    }
    return FAKE_NONE;
}

void fake_client_send(uint32_t client, const void *bytes, size_t length) {
    struct fake_flow *sent = &fake_world.clients[client]->sent;
    if (sent->ended || (sent->broken && fake_world.clients[client]->face.was_reset)) {
        fake_wrong("the test lets a client send after its end");
    } else if (!sent->broken) {
        fake_flow_put(sent, bytes, length);
    }
}

void fake_client_finish(uint32_t client) {
    fake_world.clients[client]->sent.ended = true;
}

void fake_client_set_room(uint32_t client, size_t bytes) {
    fake_world.clients[client]->received.room = bytes;
}

const char *fake_client_received(uint32_t client, size_t *length) {
    const struct fake_text *text = &fake_world.clients[client]->received.bytes;
    *length = text->length;
    return text->bytes;
}

const char *fake_client_unread(uint32_t client, size_t *length) {
    const struct fake_flow *sent = &fake_world.clients[client]->sent;
    *length = fake_flow_unread(sent);
    return sent->bytes.bytes + sent->taken;
}
