/* A handler for tests that misbehaves on order. See options.h for its arguments. */
#include "act.h"
#include "frame.h"
#include "options.h"
#include "serve.h"
#include "system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX_COUNT 8

struct held {
    uint32_t connection;
    uintptr_t socket;
};

struct handler {
    struct options options;
    uint32_t launch; /* from 1 */
    uint8_t nonce[WIRE_NONCE_BYTES];
    bool misbehaves;
    struct held held[HELD_MAX_COUNT]; /* with --serve several */
    uint32_t held_count;
};

/* Misbehaves if this is the step for it. True if the step is done with. */
static bool reach(const struct handler *handler, enum step step, uint32_t connection) {
    if (!handler->misbehaves || handler->options.at != step) {
        return false;
    }
    act_perform(handler->options.act, handler->nonce, connection, step == STEP_ACK);
    return strncmp(handler->options.act, "nack", 4) == 0;
}

static void finish(const struct handler *handler, uint32_t connection, uintptr_t socket) {
    struct frame frame;
    system_socket_close(socket);
    frame_done(&frame, connection, 0);
    frame_send(&frame);
    reach(handler, STEP_DONE, connection);
}

/* Once there are as many as the capacity, they are served, and the last is the first. */
static void hold(struct handler *handler, uint32_t connection, uintptr_t socket) {
    serve_connection("greet", socket, handler->launch);
    handler->held[handler->held_count++] = (struct held){connection, socket};
    if (handler->held_count < handler->options.capacity && handler->held_count < HELD_MAX_COUNT) {
        return;
    }
    while (handler->held_count > 0) {
        const struct held *held = &handler->held[--handler->held_count];
        serve_connection("line", held->socket, handler->launch);
        finish(handler, held->connection, held->socket);
    }
}

static void take_offer(struct handler *handler, uint32_t connection, uintptr_t socket) {
    struct frame frame;
    if (reach(handler, STEP_OFFER, connection)) {
        system_socket_close(socket);
        return;
    }
    frame_ack(&frame, connection);
    frame_send(&frame);
    reach(handler, STEP_ACK, connection);
    serve_output(handler->options.write);
    if (strcmp(handler->options.serve, "several") == 0) {
        hold(handler, connection, socket);
        return;
    }
    serve_connection(handler->options.serve, socket, handler->launch);
    finish(handler, connection, socket);
}

static void start_children(const struct options *options) {
    static const char *const argv[] = {"misbehave", "wait", NULL};
    if (options->child) {
        system_spawn(argv, SYSTEM_SPAWN_CHILD);
    }
    if (options->escape) {
        system_spawn(argv, SYSTEM_SPAWN_ESCAPE);
    }
}

static int run(struct handler *handler) {
    const struct options *options = &handler->options;
    handler->launch = options->count_file == NULL ? 0 : system_count_launch(options->count_file);
    handler->misbehaves = options->times_count == 0 || handler->launch <= options->times_count;
    system_open(handler->nonce);
    if (options->ignore_terminate) {
        system_ignore_terminate();
    }
    start_children(options);
    reach(handler, STEP_START, 0);
    struct frame frame;
    frame_hello(&frame, handler->nonce, system_own_pid(), options->capacity);
    frame_send(&frame);
    reach(handler, STEP_HELLO, 0);
    struct wire_message message;
    uintptr_t socket;
    while (system_receive(&message, &socket) && message.type != WIRE_DRAIN) {
        if (message.type == WIRE_OFFER) {
            take_offer(handler, message.connection, socket);
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    struct handler handler = {0};
    if (argc == 2 && strcmp(argv[1], "wait") == 0) {
        system_hang();
    }
    if (argc == 2 && strcmp(argv[1], "hold") == 0) {
        system_write(false, "here\n", 5);
        system_wait_for_input_end();
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "shim") == 0) {
        argv[1] = argv[0];
        return system_run((const char *const *)(argv + 1));
    }
    if (!options_parse(argc, argv, &handler.options)) {
        fprintf(stderr, "misbehave: bad arguments; see options.h\n");
        return 64;
    }
    return run(&handler);
}
