/* Control clients: those of a local socket, of whom only the user 1000 may come, as whom all do at
 * first (fake_hide_pids()). */
#include "platform/fake/internal.h"

#include <stdlib.h>

#define OWN_UID 1000u

struct platform_control {
    struct platform *platform;
    struct platform_listener *listener;
    bool is_for_all;
};

int platform_control_open(struct platform *platform, const struct platform_control_spec *spec,
                          uint64_t token, struct platform_control **out,
                          struct baton_cause *cause) {
    const struct platform_listener_spec listener = {.protocol = PLATFORM_UNIX,
                                                    .address.family = ADDRESS_UNIX,
                                                    .path = spec->path,
                                                    .mode = spec->mode,
                                                    .owner = spec->owner,
                                                    .backlog_count = 1};
    struct platform_listener *opened;
    *out = NULL;
    int code = platform_listener_open(platform, &listener, token, &opened, cause);
    if (code == BATON_OK) {
        *out = fake_allocate(sizeof **out);
        **out = (struct platform_control){platform, opened, spec->is_for_all};
    }
    return code;
}

int platform_control_accept(struct platform_control *control, uint64_t token,
                            struct platform_control_client *out, struct address *peer,
                            struct baton_cause *cause) {
    struct platform_socket socket;
    *out = (struct platform_control_client){0};
    int code = platform_listener_accept(control->listener, &socket, peer, cause);
    if (code != BATON_OK) {
        return code;
    }
    code = control->is_for_all || peer->uid == OWN_UID
               ? platform_stream_open(control->platform, socket, token, &out->reading, cause)
               : BATON_DENIED;
    if (code != BATON_OK) {
        platform_socket_close(control->platform, &socket);
        return code;
    }
    out->writing = out->reading;
    out->own = socket.value;
    return BATON_OK;
}

void fake_control_adopt(struct platform_control *control, struct platform *platform,
                        uint64_t token) {
    control->platform = platform;
    control->listener->token = token;
    control->listener->face.is_paused = false;
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
