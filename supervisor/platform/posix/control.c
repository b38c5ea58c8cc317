/*
 * Control clients come to a local socket, unix(7). What they can do to us is what handlers can:
 * they may send descriptors, which nobody wants, and which are let go by the closer.
 */
#include "platform/posix/control.h"
#include "platform/posix/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG_COUNT 64u

struct platform_listener_spec posix_control_describe(const struct platform_control_spec *spec) {
    return (struct platform_listener_spec){.protocol = PLATFORM_UNIX,
                                           .address.family = ADDRESS_UNIX,
                                           .path = spec->path,
                                           .mode = spec->mode,
                                           .owner = spec->owner,
                                           .backlog_count = BACKLOG_COUNT};
}

int platform_control_open(struct platform *platform, const struct platform_control_spec *spec,
                          uint64_t token, struct platform_control **out,
                          struct baton_cause *cause) {
    const struct platform_listener_spec listener = posix_control_describe(spec);
    struct platform_control *control = *out = calloc(1, sizeof *control);
    if (control == NULL) {
        return BATON_NO_MEMORY;
    }
    control->platform = platform;
    control->is_for_all = spec->is_for_all;
    int result = platform_listener_open(platform, &listener, token, &control->listener, cause);
    if (result != BATON_OK) {
        platform_control_close(out);
    }
    return result;
}

static bool may_come(const struct platform_control *control, const struct address *peer) {
    return control->is_for_all || (peer->has_uid && (peer->uid == 0 || peer->uid == geteuid()));
}

int platform_control_accept(struct platform_control *control, uint64_t token,
                            struct platform_control_client *out, struct address *peer,
                            struct baton_cause *cause) {
    struct platform_socket socket;
    *out = (struct platform_control_client){0};
    int result = platform_listener_accept(control->listener, &socket, peer, cause);
    if (result != BATON_OK) {
        return result;
    }
    result = BATON_DENIED;
    if (may_come(control, peer)) {
        result = platform_stream_open(control->platform, socket, token, &out->reading, cause);
    }
    if (result != BATON_OK) {
        platform_socket_close(control->platform, &socket);
        return result;
    }
    out->writing = out->reading;
    out->own = socket.value;
    return BATON_OK;
}

bool platform_control_has_sent(const struct platform_control_client *client) {
    (void)client;
    return true;
}

void platform_control_leave(struct platform *platform, struct platform_control_client *client) {
    if (client->reading != NULL) {
        struct platform_socket socket = {client->own};
        platform_stream_close(&client->reading);
        platform_socket_close(platform, &socket);
        *client = (struct platform_control_client){0};
    }
}

void platform_control_pause(struct platform_control *control) {
    platform_listener_pause(control->listener);
}

void platform_control_resume(struct platform_control *control) {
    platform_listener_resume(control->listener);
}

void platform_control_close(struct platform_control **control) {
    if (*control != NULL) {
        platform_listener_close(&(*control)->listener);
        free(*control);
        *control = NULL;
    }
}
