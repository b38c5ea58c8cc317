/* Launches. */
#include "platform/fake/internal.h"

#include <stdlib.h>
#include <string.h>

#define PID_FIRST 1000u
#define NONCE_HEX_CHARS 32u

/* ---- What a launch needs ---- */

/* NULL, or what must not be. */
static const char *find_fault(const struct platform_launch *launch) {
    const struct platform_program *program = launch->program;
    bool has_listeners = launch->streams == PLATFORM_STREAMS_LISTENERS;
    if (!program->is_open) {
        return "a launch without a program";
    }
    if (program->has_channel
            ? launch->nonce_hex == NULL || strlen(launch->nonce_hex) != NONCE_HEX_CHARS
            : launch->nonce_hex != NULL) {
        return "a launch with a channel without a nonce, or the other way round";
    }
    if (launch->argv != NULL && launch->argv[0] == NULL) {
        return "a launch without argv[0]";
    }
    if (has_listeners != (program->listener_count > 0) ||
        (has_listeners &&
         (launch->listeners == NULL || launch->input_listener >= program->listener_count))) {
        return "a launch that hands over listeners without any, or the other way round";
    }
    if ((launch->streams == PLATFORM_STREAMS_SOCKET) != platform_socket_is_open(launch->socket)) {
        return "a launch on a socket without one, or the other way round";
    }
    if (launch->streams == PLATFORM_STREAMS_SOCKET && fake_peer_of(launch->socket) == NULL) {
        return "a launch on a socket that is not the caller's";
    }
    if (launch->error_follows_output && launch->streams != PLATFORM_STREAMS_SOCKET &&
        launch->streams != PLATFORM_STREAMS_PIPES) {
        return "standard error follows an output that is the log";
    }
    return NULL;
}

static size_t values_bytes(const struct platform_launch *launch) {
    size_t bytes = 0;
    for (size_t i = 0; launch->values != NULL && launch->program->variables[i] != NULL; i++) {
        bytes += launch->values[i] == NULL ? 0 : strlen(launch->values[i]) + 1;
    }
    return bytes;
}

static uint32_t unclosed_count(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_world.process_count; i++) {
        count += fake_world.processes[i]->face.is_closed ? 0 : 1;
    }
    return count;
}

static int check_room(const struct platform_launch *launch) {
    uint32_t streams_count = launch->streams == PLATFORM_STREAMS_PIPES ? 2 : 0;
    if (unclosed_count() >= PLATFORM_PROCESS_COUNT_MAX ||
        fake_open_stream_count() + streams_count > PLATFORM_STREAM_COUNT_MAX) {
        return BATON_SHORTAGE;
    }
    size_t bytes = values_bytes(launch) + fake_texts_bytes(launch->argv);
    return bytes > launch->program->launch_bytes ? BATON_TOO_LONG : BATON_OK;
}

/* ---- What a launch gives ---- */

static bool names(const char *entry, const char *name) {
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* The program's own environment without what launches set, and what this launch sets. */
static char **make_environment(const struct platform_launch *launch) {
    const struct platform_program *program = launch->program;
    struct fake_text entries[256] = {{0}};
    const char *texts[257] = {NULL};
    size_t count = 0;
    for (size_t i = 0; program->environment[i] != NULL && count < 256; i++) {
        bool replaced = false;
        for (size_t k = 0; program->variables[k] != NULL; k++) {
            replaced = replaced || names(program->environment[i], program->variables[k]);
        }
        if (!replaced) {
            texts[count++] = program->environment[i];
        }
    }
    for (size_t i = 0; program->variables[i] != NULL && launch->values != NULL && count < 256;
         i++) {
        if (launch->values[i] != NULL) {
            struct fake_text *entry = &entries[count];
            fake_text_append(entry, program->variables[i], strlen(program->variables[i]));
            fake_text_append(entry, "=", 1);
            fake_text_append(entry, launch->values[i], strlen(launch->values[i]));
            texts[count++] = entry->bytes;
        }
    }
    char **environment = fake_texts_copy(texts);
    for (size_t i = 0; i < 256; i++) {
        free(entries[i].bytes);
    }
    return environment;
}

static void give_streams(struct platform_process *p, const struct platform_launch *launch,
                         uint32_t number, struct platform_launched *out) {
    p->input.room = FAKE_PIPE_BYTES;
    p->output.room = SIZE_MAX;
    if (launch->streams == PLATFORM_STREAMS_PIPES) {
        struct fake_stream face = {.client = FAKE_NONE, .process = number};
        face.token = launch->output_token;
        out->output = fake_stream_make(&face, &p->output, NULL);
        face.token = launch->input_token;
        face.is_input = true;
        out->input = fake_stream_make(&face, NULL, &p->input);
    } else if (launch->streams == PLATFORM_STREAMS_SOCKET) {
        p->face.client = (uint32_t)(launch->socket.value - 1);
        fake_copy_add(p, p->face.client);
        const struct fake_client *client = fake_client(p->face.client);
        if (!fake_listener(client->listener)->spec.is_plain) {
            fake_wrong("an overlapped socket is a standard stream (PITFALLS 10)");
        }
    }
    p->handed_count = launch->program->listener_count;
    p->handed = fake_allocate((p->handed_count + 1) * sizeof *p->handed);
    for (uint32_t i = 0; i < p->handed_count; i++) {
        fake_listener_give(p, launch->listeners[i]);
        p->handed[i] = p->listeners[p->face.listener_count - 1];
    }
    p->face.input_listener = p->handed_count > 0 ? p->handed[launch->input_listener] : FAKE_NONE;
    p->face.listener_names = launch->program->listener_names;
}

static bool put_offer(struct platform_process *p, const struct platform_launch *launch) {
    struct baton_cause cause = {0};
    if (launch->offer == NULL || fake_try(FAKE_OFFER, &cause) != BATON_OK) {
        return false;
    }
    if (fake_world.offers_late || fake_world.is_windows) {
        fake_wrong("an offer at a launch where there can be none");
    }
    struct fake_message *message = fake_message_make(launch->offer, launch->offer_bytes);
    fake_message_attach(p, message, launch->offer_socket);
    fake_queue_put(&p->to_handler, message);
    return true;
}

bool platform_offers_at_launch(const struct platform *platform) {
    (void)platform;
    return !fake_world.offers_late && !fake_world.is_windows;
}

/* ---- Launches that take their time ---- */

/* `p`: NULL = it has failed, or is lost. */
static int begin_late(struct platform_process *p, int code, const struct platform_launch *launch,
                      struct platform_launched *out, const struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    if (p == NULL) {
        p = fake_allocate(sizeof *p);
        p->face.token = launch->token;
        p->face.client = FAKE_NONE;
    }
    p->is_launching = p->face.is_launching = true;
    p->launch_code = code;
    p->launch_cause = *cause;
    p->launched = *out;
    p->taken = launch->socket;
    p->next_launching = w->launching;
    w->launching = p;
    *out = (struct platform_launched){
        .process = p, .has_offered = out->has_offered, .socket = PLATFORM_SOCKET_NONE};
    if (platform_socket_is_open(launch->socket)) {
        struct platform_socket taken = launch->socket;
        platform_socket_close(NULL, &taken);
        out->has_taken_socket = true;
    }
    return BATON_AGAIN;
}

static int launch_now(const struct platform_launch *launch, struct platform_launched *out,
                      struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    *out = (struct platform_launched){.socket = PLATFORM_SOCKET_NONE};
    w->now_us += w->launch_us;
    int code = fake_try(FAKE_LAUNCH, cause);
    const char *fault = find_fault(launch);
    if (fault != NULL) {
        fake_wrong(fault);
        return BATON_SYSTEM;
    }
    code = code == BATON_OK ? check_room(launch) : code;
    if (code != BATON_OK) {
        return code;
    }
    bool has_channel = launch->program->has_channel;
    struct platform_process *p = fake_allocate(sizeof *p);
    p->face = (struct fake_process){.pid = PID_FIRST + w->process_count,
                                    .token = launch->token,
                                    .is_alive = true,
                                    .has_channel = has_channel,
                                    .supervisor_end_open = has_channel,
                                    .handler_end_open = has_channel,
                                    .streams = launch->streams,
                                    .error_follows_output = launch->error_follows_output,
                                    .client = FAKE_NONE,
                                    .launched_us = w->now_us};
    if (has_channel) {
        memcpy(p->face.nonce_hex, launch->nonce_hex, sizeof p->face.nonce_hex);
    }
    p->output_collector = launch->output;
    p->output_id = launch->output_id;
    p->argv = fake_texts_copy(launch->argv != NULL ? launch->argv
                                                   : (const char *const *)launch->program->argv);
    p->environment = make_environment(launch);
    give_streams(p, launch, w->process_count, out);
    out->has_offered = put_offer(p, launch);
    w->processes = fake_grow(w->processes, w->process_count, &w->process_capacity, sizeof(void *));
    w->processes[w->process_count++] = p;
    out->process = p;
    return BATON_OK;
}

int platform_launch(struct platform *platform, const struct platform_launch *launch,
                    struct platform_launched *out, struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    if (w->launchers_count == 0) {
        return launch_now(launch, out, cause);
    }
    *out = (struct platform_launched){.socket = PLATFORM_SOCKET_NONE};
    if (platform_launch_waits(platform, launch->program)) {
        return BATON_AGAIN;
    }
    if (w->to_lose_count > 0) {
        w->to_lose_count--;
        out->has_offered = launch->offer != NULL; /* in a channel that nobody gets */
        return begin_late(NULL, BATON_AGAIN, launch, out, cause);
    }
    int code = launch_now(launch, out, cause);
    return begin_late(out->process, code, launch, out, cause);
}

const char *fake_argument(uint32_t process, uint32_t index) {
    char **argv = fake_world.processes[process]->argv;
    for (uint32_t i = 0; i < index && *argv != NULL; i++) {
        argv++;
    }
    return *argv;
}

const char *fake_variable(uint32_t process, const char *name) {
    for (char **at = fake_world.processes[process]->environment; *at != NULL; at++) {
        if (names(*at, name)) {
            return *at + strlen(name) + 1;
        }
    }
    return NULL;
}
