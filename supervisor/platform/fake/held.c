/* What goes over at a restart: things of the world, by their addresses. */
#include "platform/fake/internal.h"

#include <string.h>

static void put(struct platform_held *out, const void *thing) {
    *out = (struct platform_held){.words = {(uintptr_t)thing}};
}

static void *thing_of(const struct platform_held *held) {
    return (void *)(uintptr_t)held->words[0];
}

void platform_hold(const struct platform *platform, struct snapshot *out) {
    (void)platform;
    snapshot_put(out, SNAPSHOT_PLATFORM, 0, NULL, 0);
}

void platform_socket_hold(const struct platform *platform, struct platform_socket socket,
                          struct platform_held *out) {
    (void)platform;
    *out = (struct platform_held){.words = {socket.value}};
}

void platform_listener_hold(const struct platform_listener *listener, struct platform_held *out) {
    put(out, listener);
}

void platform_control_hold(const struct platform_control *control, struct platform_held *out) {
    put(out, control);
}

void platform_client_hold(const struct platform *platform,
                          const struct platform_control_client *client, struct platform_held *out) {
    const struct platform_socket socket = {client->own};
    platform_socket_hold(platform, socket, out);
}

void platform_process_hold(const struct platform_process *process, struct platform_held *out) {
    if (process->face.is_closed || process->face.is_launching) {
        fake_wrong("a process goes over that is closed, or not there yet");
    }
    put(out, process);
}

void platform_stream_hold(const struct platform_stream *stream, struct platform_held *out,
                          const void **bytes, size_t *length) {
    if (!stream->face.is_open || stream->face.client != FAKE_NONE) {
        fake_wrong("a stream goes over that is closed, or no pipe");
    }
    put(out, stream);
    *bytes = NULL;
    *length = 0;
}

/* All of a collector's is one. */
bool platform_output_hold(const struct platform_output *output, uint32_t *at,
                          struct platform_held *out, const void **bytes, size_t *length) {
    put(out, output);
    *bytes = NULL;
    *length = 0;
    return (*at)++ == 0;
}

int platform_socket_adopt(struct platform *platform, const struct platform_held *held,
                          struct platform_socket *out) {
    (void)platform;
    out->value = (uintptr_t)held->words[0];
    return fake_peer_of(*out) != NULL ? BATON_OK : BATON_INVALID;
}

int platform_listener_adopt(struct platform *platform, const struct platform_held *held,
                            const struct platform_listener_spec *spec, uint64_t token,
                            struct platform_listener **out, struct baton_cause *cause) {
    struct platform_listener *listener = *out = thing_of(held);
    (void)platform;
    *cause = (struct baton_cause){0};
    if (!listener->face.is_open || spec->protocol != listener->face.spec.protocol) {
        fake_wrong("a listener is taken over that is closed, or another");
    }
    listener->token = token;
    listener->face.is_paused = false;
    return BATON_OK;
}

int platform_control_adopt(struct platform *platform, const struct platform_held *held,
                           const struct platform_control_spec *spec, uint64_t token,
                           struct platform_control **out, struct baton_cause *cause) {
    (void)spec;
    *cause = (struct baton_cause){0};
    *out = thing_of(held);
    fake_control_adopt(*out, platform, token);
    return BATON_OK;
}

int platform_client_adopt(struct platform *platform, const struct platform_held *held,
                          uint64_t token, struct platform_control_client *out,
                          struct baton_cause *cause) {
    struct platform_socket socket;
    int result = platform_socket_adopt(platform, held, &socket);
    if (result == BATON_OK) {
        out->own = socket.value;
        result = platform_stream_open(platform, socket, token, &out->reading, cause);
        out->writing = out->reading;
    }
    return result;
}

int platform_process_adopt(struct platform *platform, const struct platform_held *held,
                           const struct platform_program *program, uint64_t token,
                           struct platform_process **out, struct baton_cause *cause) {
    struct platform_process *process = *out = thing_of(held);
    (void)platform;
    *cause = (struct baton_cause){0};
    if (program == NULL || !program->is_open) {
        fake_wrong("a process of no program is taken over");
    }
    process->face.token = token;
    process->writable_due = process->writable_wanted && !process->is_full;
    return BATON_OK;
}

int platform_stream_adopt(struct platform *platform, const struct platform_held *held,
                          const struct platform_program *program, uint64_t token, const void *bytes,
                          size_t length, struct platform_stream **out, struct baton_cause *cause) {
    struct platform_stream *stream = *out = thing_of(held);
    (void)platform;
    (void)program;
    (void)bytes;
    *cause = (struct baton_cause){0};
    if (length > 0) {
        fake_wrong("bytes that were never held");
    }
    stream->face.token = token;
    stream->read_wanted = stream->write_wanted = false;
    return BATON_OK;
}

int platform_output_adopt(struct platform_output *output, const struct platform_held *held,
                          const void *bytes, size_t length, struct baton_cause *cause) {
    struct platform_output *before = thing_of(held);
    (void)bytes;
    (void)length;
    *cause = (struct baton_cause){0};
    output->first = before->first;
    output->last = before->last;
    before->first = before->last = NULL;
    for (uint32_t i = 0; i < fake_world.process_count; i++) {
        struct platform_process *process = fake_world.processes[i];
        if (process->output_collector == before) {
            process->output_collector = output;
        }
    }
    return BATON_OK;
}

void platform_log_hold(struct platform_log *log, struct platform_held *out) {
    (void)log;
    *out = (struct platform_held){{0}};
}

void platform_log_adopt(struct platform_log *log, const struct platform_held *held, bool is_same) {
    (void)log;
    (void)held;
    (void)is_same;
}
