/*
 * What goes over to the program that takes our place (restart.h): each thing is held, by which it
 * is put into words for the next program, which adopts it. A part of platform.h, whose rules hold
 * here too.
 */
#ifndef BATON_PLATFORM_HELD_H
#define BATON_PLATFORM_HELD_H

#include "core/base/error.h"
#include "core/base/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;
struct platform_control;
struct platform_control_client;
struct platform_control_spec;
struct platform_listener;
struct platform_listener_spec;
struct platform_log;
struct platform_output;
struct platform_process;
struct platform_program;
struct platform_socket;
struct platform_stream;

/* A thing that is held, in the body's own words. Its bytes alone go to the next program. */
#define PLATFORM_HELD_WORDS 16u
struct platform_held {
    uint64_t words[PLATFORM_HELD_WORDS];
};

/* ---- In the old program, between platform_restart_begin() and platform_restart_go() ---- */

/* What the platform itself has. */
void platform_hold(const struct platform *platform, struct snapshot *out);
void platform_socket_hold(const struct platform *platform, struct platform_socket socket,
                          struct platform_held *out);
void platform_listener_hold(const struct platform_listener *listener, struct platform_held *out);
void platform_control_hold(const struct platform_control *control, struct platform_held *out);
void platform_client_hold(const struct platform *platform,
                          const struct platform_control_client *client, struct platform_held *out);
void platform_process_hold(const struct platform_process *process, struct platform_held *out);
/* A pipe of PLATFORM_STREAMS_PIPES; a socket's stream is opened anew. *bytes (*length of them,
 * valid until the next call) were read, and not asked for yet. */
void platform_stream_hold(const struct platform_stream *stream, struct platform_held *out,
                          const void **bytes, size_t *length);
/* The next pipe of the collector behind `*at`, at first 0. False if there is none. The same for
 * *bytes. */
bool platform_output_hold(const struct platform_output *output, uint32_t *at,
                          struct platform_held *out, const void **bytes, size_t *length);
void platform_log_hold(struct platform_log *log, struct platform_held *out);

/* ---- In the new program ---- */

/* The same as before, with the tokens of its events; errors as of what opens such a thing, and
 * BATON_INVALID for words that nobody has written. */
int platform_socket_adopt(struct platform *platform, const struct platform_held *held,
                          struct platform_socket *out);
int platform_listener_adopt(struct platform *platform, const struct platform_held *held,
                            const struct platform_listener_spec *spec, uint64_t token,
                            struct platform_listener **out, struct baton_cause *cause);
int platform_control_adopt(struct platform *platform, const struct platform_held *held,
                           const struct platform_control_spec *spec, uint64_t token,
                           struct platform_control **out, struct baton_cause *cause);
int platform_client_adopt(struct platform *platform, const struct platform_held *held,
                          uint64_t token, struct platform_control_client *out,
                          struct baton_cause *cause);
int platform_process_adopt(struct platform *platform, const struct platform_held *held,
                           const struct platform_program *program, uint64_t token,
                           struct platform_process **out, struct baton_cause *cause);
/* `bytes` are copied. */
int platform_stream_adopt(struct platform *platform, const struct platform_held *held,
                          const struct platform_program *program, uint64_t token, const void *bytes,
                          size_t length, struct platform_stream **out, struct baton_cause *cause);
/* Behind its process, if that is there. */
int platform_output_adopt(struct platform_output *output, const struct platform_held *held,
                          const void *bytes, size_t length, struct baton_cause *cause);
/* It was opened anew, at the same place or (not `is_same`) elsewhere: of the same the first write
 * that succeeds is to end a line that is torn (log.h). Lets go of what was held, of which a reader
 * would have seen the end before (POSIX). */
void platform_log_adopt(struct platform_log *log, const struct platform_held *held, bool is_same);

#endif
