/* Listeners, clients and sockets. A socket's value is its client's number + 1. */
#include "platform/fake/internal.h"

#include <string.h>

#define FREE_PORT_FIRST 40000u

static struct fake_client *client_of(struct platform_socket socket) {
    if (socket.value == 0 || socket.value > fake_world.client_count) {
        fake_wrong("a socket that never was");
        return NULL;
    }
    return &fake_world.clients[socket.value - 1];
}

/* ---- Sockets ---- */

bool platform_socket_is_open(struct platform_socket socket) {
    return socket.value != UINTPTR_MAX;
}

void platform_socket_close(struct platform_socket *socket) {
    if (!platform_socket_is_open(*socket)) {
        return;
    }
    struct fake_client *client = client_of(*socket);
    if (client != NULL && !client->supervisor_has) {
        fake_wrong("a socket was closed twice");
    } else if (client != NULL) {
        client->supervisor_has = false;
    }
    *socket = PLATFORM_SOCKET_NONE;
}

bool platform_socket_was_reset(struct platform_socket socket) {
    const struct fake_client *client = client_of(socket);
    if (client != NULL && !client->supervisor_has) {
        fake_wrong("a closed socket was asked");
    }
    return client != NULL && client->was_reset;
}

int platform_socket_export(struct platform_process *process, uint32_t pid,
                           struct platform_socket socket, uint8_t info[PLATFORM_SOCKET_INFO_BYTES],
                           size_t *length, struct baton_cause *cause) {
    *length = 0;
    const struct fake_client *client = client_of(socket);
    if (client == NULL || !client->supervisor_has || pid == 0 || process->face.is_closed) {
        fake_wrong("an export of something that is not there");
        return BATON_SYSTEM;
    }
    int code = fake_try(FAKE_EXPORT, cause);
    if (code == BATON_OK && fake_world.exports_info) {
        memset(info, 0x5a, PLATFORM_SOCKET_INFO_BYTES);
        *length = PLATFORM_SOCKET_INFO_BYTES;
    }
    return code;
}

void fake_export_info(bool on) {
    fake_world.exports_info = on;
}

/* ---- Listeners ---- */

static struct platform_listener *find_listener(uint16_t port) {
    for (struct platform_listener *l = fake_world.listeners; l != NULL; l = l->next) {
        if (l->is_open && l->address.port == port) {
            return l;
        }
    }
    return NULL;
}

int platform_listener_open(struct platform *platform, const struct address *address,
                           uint32_t backlog_count, uint64_t token, struct platform_listener **out,
                           struct baton_cause *cause) {
    (void)platform;
    (void)backlog_count;
    *out = NULL;
    int code = fake_try(FAKE_LISTEN, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (address->port != 0 && find_listener(address->port) != NULL) {
        *cause = (struct baton_cause){"bind", 98};
        return BATON_IN_USE;
    }
    struct platform_listener *l = fake_allocate(sizeof *l);
    *l = (struct platform_listener){
        .next = fake_world.listeners, .address = *address, .token = token, .is_open = true};
    while (l->address.port == 0 || (address->port == 0 && find_listener(l->address.port))) {
        l->address.port = (uint16_t)(l->address.port == 0 ? FREE_PORT_FIRST : l->address.port + 1u);
    }
    fake_world.listeners = l;
    *out = l;
    return BATON_OK;
}

void platform_listener_address(const struct platform_listener *listener, struct address *out) {
    *out = listener->address;
}

/* The client that has waited longest, NULL if nobody waits. */
static struct fake_client *next_client(const struct platform_listener *listener) {
    for (uint32_t i = 0; i < fake_world.client_count; i++) {
        struct fake_client *c = &fake_world.clients[i];
        if (c->port == listener->address.port && c->accepted_number == 0 && !c->refused) {
            return c;
        }
    }
    return NULL;
}

static struct address peer_of(uint32_t client) {
    return (struct address){
        .family = ADDRESS_IPV4,
        .bytes = {10, (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client},
        .port = 50000};
}

int platform_listener_accept(struct platform_listener *listener, struct platform_socket *out,
                             struct address *peer, struct address *local,
                             struct baton_cause *cause) {
    struct fake_client *client = next_client(listener);
    *out = PLATFORM_SOCKET_NONE;
    if (!listener->is_open) {
        fake_wrong("an accept on a closed listener");
        return BATON_SYSTEM;
    }
    if (client == NULL) {
        *cause = (struct baton_cause){0};
        return BATON_AGAIN;
    }
    int code = fake_try(FAKE_ACCEPT, cause);
    if (code == BATON_GONE) {
        client->refused = true;
    }
    if (code != BATON_OK) {
        return code;
    }
    client->accepted_number = ++fake_world.accepted_count;
    client->supervisor_has = true;
    uint32_t number = (uint32_t)(client - fake_world.clients);
    *out = (struct platform_socket){(uintptr_t)number + 1};
    *peer = peer_of(number);
    *local = listener->address;
    return BATON_OK;
}

void platform_listener_pause(struct platform_listener *listener) {
    listener->is_paused = true;
}

void platform_listener_resume(struct platform_listener *listener) {
    listener->is_paused = false;
}

void platform_listener_close(struct platform_listener **listener) {
    struct platform_listener *closing = *listener;
    if (closing == NULL) {
        return;
    }
    if (!closing->is_open) {
        fake_wrong("a listener was closed twice");
    }
    closing->is_open = false;
    for (struct fake_client *c = next_client(closing); c != NULL; c = next_client(closing)) {
        c->refused = true;
    }
    *listener = NULL;
}

/* ---- The clients' side ---- */

uint32_t fake_connect(uint16_t port) {
    struct fake_world *w = &fake_world;
    if (find_listener(port) == NULL) {
        return FAKE_NONE;
    }
    w->clients = fake_grow(w->clients, w->client_count, &w->client_capacity, sizeof *w->clients);
    w->clients[w->client_count] = (struct fake_client){.port = port};
    return w->client_count++;
}

void fake_reset(uint32_t client) {
    fake_world.clients[client].was_reset = true;
}

uint32_t fake_client_count(void) {
    return fake_world.client_count;
}

const struct fake_client *fake_client(uint32_t client) {
    return &fake_world.clients[client];
}

uint32_t fake_client_accepted(uint64_t number) {
    for (uint32_t i = 0; i < fake_world.client_count; i++) {
        if (number != 0 && fake_world.clients[i].accepted_number == number) {
            return i;
        }
    }
    return FAKE_NONE;
}
