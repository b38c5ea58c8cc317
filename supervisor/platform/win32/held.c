/* What goes over at a restart: nothing yet. */
#include "internal.h"

#include <string.h>

void platform_hold(const struct platform *platform, struct snapshot *out) {
    (void)platform;
    (void)out;
}

void platform_socket_hold(const struct platform *platform, struct platform_socket socket,
                          struct platform_held *out) {
    (void)platform;
    (void)socket;
    memset(out, 0, sizeof *out);
}

void platform_listener_hold(const struct platform_listener *listener, struct platform_held *out) {
    (void)listener;
    memset(out, 0, sizeof *out);
}

void platform_control_hold(const struct platform_control *control, struct platform_held *out) {
    (void)control;
    memset(out, 0, sizeof *out);
}

void platform_process_hold(const struct platform_process *process, struct platform_held *out) {
    (void)process;
    memset(out, 0, sizeof *out);
}

void platform_stream_hold(const struct platform_stream *stream, struct platform_held *out,
                          const void **bytes, size_t *length) {
    (void)stream;
    memset(out, 0, sizeof *out);
    *bytes = NULL;
    *length = 0;
}

bool platform_output_hold(const struct platform_output *output, uint32_t *at,
                          struct platform_held *out, const void **bytes, size_t *length) {
    (void)output;
    (void)at;
    memset(out, 0, sizeof *out);
    *bytes = NULL;
    *length = 0;
    return false;
}

/* Nobody has left anything that could be adopted. */

int platform_socket_adopt(struct platform *platform, const struct platform_held *held,
                          struct platform_socket *out) {
    (void)platform;
    (void)held;
    *out = PLATFORM_SOCKET_NONE;
    return BATON_INVALID;
}

int platform_listener_adopt(struct platform *platform, const struct platform_held *held,
                            const struct platform_listener_spec *spec, uint64_t token,
                            struct platform_listener **out, struct baton_cause *cause) {
    (void)platform;
    (void)held;
    (void)spec;
    (void)token;
    *out = NULL;
    *cause = (struct baton_cause){0};
    return BATON_INVALID;
}

int platform_control_adopt(struct platform *platform, const struct platform_held *held,
                           const struct platform_control_spec *spec, uint64_t token,
                           struct platform_control **out, struct baton_cause *cause) {
    (void)platform;
    (void)held;
    (void)spec;
    (void)token;
    *out = NULL;
    *cause = (struct baton_cause){0};
    return BATON_INVALID;
}

int platform_process_adopt(struct platform *platform, const struct platform_held *held,
                           const struct platform_program *program, uint64_t token,
                           struct platform_process **out, struct baton_cause *cause) {
    (void)platform;
    (void)held;
    (void)program;
    (void)token;
    *out = NULL;
    *cause = (struct baton_cause){0};
    return BATON_INVALID;
}

int platform_stream_adopt(struct platform *platform, const struct platform_held *held,
                          const struct platform_program *program, uint64_t token, const void *bytes,
                          size_t length, struct platform_stream **out, struct baton_cause *cause) {
    (void)platform;
    (void)held;
    (void)program;
    (void)token;
    (void)bytes;
    (void)length;
    *out = NULL;
    *cause = (struct baton_cause){0};
    return BATON_INVALID;
}

int platform_output_adopt(struct platform_output *output, const struct platform_held *held,
                          const void *bytes, size_t length, struct baton_cause *cause) {
    (void)output;
    (void)held;
    (void)bytes;
    (void)length;
    *cause = (struct baton_cause){0};
    return BATON_INVALID;
}
