/* Listeners: opened, paused, handed over to a process. */
#include "platform/fake/internal.h"

#include <string.h>

#define FREE_PORT_FIRST 40000u

/* ---- Opening and closing ---- */

static bool is_taken(const struct platform_listener_spec *spec, uint16_t port) {
    for (uint32_t i = 0; i < fake_world.listener_count; i++) {
        const struct platform_listener *l = fake_world.listeners[i];
        if (!l->face.is_open || l->face.spec.protocol != spec->protocol) {
            continue;
        }
        if (spec->protocol == PLATFORM_UNIX ? strcmp(l->face.spec.path, spec->path) == 0
                                            : l->address.port == port) {
            return true;
        }
    }
    return false;
}

static bool makes_sense(const struct platform_listener_spec *spec) {
    if (spec->protocol == PLATFORM_UNIX) {
        return spec->path != NULL && spec->address.family == ADDRESS_UNIX && spec->mode <= 0777;
    }
    return (spec->address.family == ADDRESS_IPV4 || spec->address.family == ADDRESS_IPV6) &&
           (spec->protocol == PLATFORM_TCP || spec->is_handed_over);
}

int platform_listener_open(struct platform *platform, const struct platform_listener_spec *spec,
                           uint64_t token, struct platform_listener **out,
                           struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    uint16_t port = spec->address.port;
    (void)platform;
    *out = NULL;
    int code = fake_try(FAKE_LISTEN, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (!makes_sense(spec)) {
        fake_wrong("a listener that makes no sense");
        return BATON_SYSTEM;
    }
    if ((port != 0 || spec->protocol == PLATFORM_UNIX) && is_taken(spec, port)) {
        *cause = (struct baton_cause){"bind", 98};
        return BATON_IN_USE;
    }
    while (port == 0 || (spec->address.port == 0 && is_taken(spec, port))) {
        port = (uint16_t)(port == 0 ? FREE_PORT_FIRST : port + 1u);
    }
    struct platform_listener *l = fake_allocate(sizeof *l);
    *l = (struct platform_listener){
        .face = {.spec = *spec, .is_open = true}, .address = spec->address, .token = token};
    l->face.spec.path = fake_text_copy(spec->path);
    if (spec->owner != NULL) { /* for those who look when its service has gone */
        uint32_t *owner = fake_allocate(2 * sizeof *owner);
        owner[0] = spec->owner[0];
        owner[1] = spec->owner[1];
        l->face.spec.owner = owner;
    }
    if (spec->protocol != PLATFORM_UNIX) {
        l->address.port = port;
    }
    w->listeners =
        fake_grow(w->listeners, w->listener_count, &w->listener_capacity, sizeof(void *));
    w->listeners[w->listener_count++] = l;
    *out = l;
    return BATON_OK;
}

void platform_listener_close(struct platform_listener **listener) {
    struct platform_listener *closing = *listener;
    if (closing == NULL) {
        return;
    }
    if (!closing->face.is_open) {
        fake_wrong("a listener was closed twice");
    }
    closing->face.is_open = false;
    if (closing->face.holder_count == 0) {
        for (struct fake_peer *p = fake_waiting(closing); p != NULL; p = fake_waiting(closing)) {
            p->face.refused = true;
        }
    }
    *listener = NULL;
}

int platform_listener_change(struct platform_listener *listener,
                             const struct platform_listener_spec *spec, struct baton_cause *cause) {
    struct platform_listener_spec *own = &listener->face.spec;
    int code = fake_try(FAKE_LISTEN, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (!listener->face.is_open || !makes_sense(spec)) {
        fake_wrong("a listener is changed that is closed, or to what makes no sense");
    }
    if (spec->protocol != own->protocol || (own->is_handed_over && !spec->is_handed_over)) {
        return BATON_UNSUPPORTED;
    }
    own->is_handed_over = spec->is_handed_over;
    own->is_shared = spec->is_shared;
    own->backlog_count = spec->backlog_count;
    own->options = spec->options;
    own->mode = spec->mode;
    listener->face.change_count++;
    return BATON_OK;
}

uint32_t fake_listener_count(void) {
    return fake_world.listener_count;
}

const struct fake_listener *fake_listener(uint32_t listener) {
    return &fake_world.listeners[listener]->face;
}

/* ---- Use ---- */

void platform_listener_address(const struct platform_listener *listener, struct address *out) {
    *out = listener->address;
}

struct platform_socket platform_listener_socket(struct platform_listener *listener) {
    uint32_t number = 0;
    while (fake_world.listeners[number] != listener) {
        number++;
    }
    if (!listener->face.is_open || !listener->face.spec.is_handed_over) {
        fake_wrong("the socket of a listener that is closed, or not handed over");
    }
    return (struct platform_socket){FAKE_LISTENER_SOCKET + number};
}

struct platform_listener *fake_listener_of(struct platform_socket socket) {
    uintptr_t number = socket.value - FAKE_LISTENER_SOCKET;
    if (socket.value < FAKE_LISTENER_SOCKET || number >= fake_world.listener_count ||
        !fake_world.listeners[number]->face.is_open) {
        fake_wrong("a listener that never was, or is closed");
        return NULL;
    }
    return fake_world.listeners[number];
}

struct fake_peer *fake_waiting(const struct platform_listener *listener) {
    for (uint32_t i = 0; i < fake_world.client_count; i++) {
        struct fake_peer *p = fake_world.clients[i];
        if (fake_world.listeners[p->face.listener] == listener && p->face.accepted_number == 0 &&
            !p->face.is_taken && !p->face.refused) {
            return p;
        }
    }
    return NULL;
}

uint32_t fake_number_of(const struct fake_peer *peer) {
    uint32_t number = 0;
    while (fake_world.clients[number] != peer) {
        number++;
    }
    return number;
}

void platform_listener_pause(struct platform_listener *listener) {
    listener->face.is_paused = true;
}

/* Told so, or about to be when it has answered its offer; one that was killed and does not end is
 * given up on. */
static bool is_to_go(const struct platform_process *p) {
    return p->is_to_go || p->face.terminate_count > 0 || p->face.kill_count > 0 ||
           (p->face.has_channel && (!p->face.supervisor_end_open || !p->has_acked));
}

/* By who got it last: those before him are to go. */
static bool is_in_use(const struct platform_listener *listener) {
    const struct platform_process *last = listener->last_holder;
    return last != NULL && last->face.listener_count > 0 && !is_to_go(last);
}

void platform_listener_resume(struct platform_listener *listener) {
    if (is_in_use(listener)) {
        fake_wrong("a listener is watched again while a process has it");
    }
    listener->face.is_paused = listener->is_spoiled;
    listener->is_lost = listener->is_spoiled;
}

void platform_listener_check(struct platform_listener *listener) {
    if (!listener->face.is_paused) {
        fake_wrong("a listener that is watched is checked");
    }
    listener->is_lost = listener->is_spoiled;
}

void fake_listener_spoil(uint32_t listener) {
    fake_world.listeners[listener]->is_spoiled = true;
}

/* ---- Handing over ---- */

void fake_listener_give(struct platform_process *process, struct platform_listener *listener) {
    uint32_t number = (uint32_t)(platform_listener_socket(listener).value - FAKE_LISTENER_SOCKET);
    if (!listener->face.is_paused) {
        fake_wrong("a listener was handed over that is not paused");
    }
    process->listeners = fake_grow(process->listeners, process->face.listener_count,
                                   &process->listener_capacity, sizeof *process->listeners);
    process->listeners[process->face.listener_count++] = number;
    listener->face.holder_count++;
    listener->last_holder = process;
}

void fake_handler_close_listeners(uint32_t process) {
    struct platform_process *p = fake_world.processes[process];
    while (p->face.listener_count > 0) {
        struct platform_listener *l = fake_world.listeners[p->listeners[--p->face.listener_count]];
        l->face.holder_count--;
        struct fake_peer *waiting = NULL;
        while (!l->face.is_open && l->face.holder_count == 0 &&
               (waiting = fake_waiting(l)) != NULL) {
            waiting->face.refused = true;
        }
    }
}

uint32_t fake_handler_take(uint32_t process) {
    struct platform_process *p = fake_world.processes[process];
    struct fake_peer *first = NULL;
    for (uint32_t i = 0; i < p->face.listener_count; i++) {
        struct fake_peer *waiting = fake_waiting(fake_world.listeners[p->listeners[i]]);
        if (first == NULL || (waiting != NULL && fake_number_of(waiting) < fake_number_of(first))) {
            first = waiting;
        }
    }
    if (first == NULL) {
        return FAKE_NONE;
    }
    first->face.is_taken = true;
    if (!first->face.is_datagram) {
        fake_copy_add(p, fake_number_of(first));
    }
    return fake_number_of(first);
}

uint32_t fake_handed_listener(uint32_t process, uint32_t index) {
    const struct platform_process *p = fake_world.processes[process];
    return index < p->handed_count ? p->handed[index] : FAKE_NONE;
}
