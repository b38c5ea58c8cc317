/* A server that forks for each connection: what it takes to be ready is done once, and each client
 * gets a process of its own all the same, for the price of a fork. */
#include "children.h"
#include "heap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 100, STOP_MS = 5000 };

struct server {
    struct children children;
    struct baton *baton;
    /* Accepted from a listener, when there was no room for a process: waits for one. */
    struct baton_connection waiting;
    bool is_waiting;
    uint64_t retry_at_ms;
};

static void cancelled(void *context, uint32_t number) {
    children_cancel(context, number);
}

/* A number of the environment that need not be there. */
static uint32_t told_number(const char *name, uint32_t otherwise) {
    char text[16];
    uint64_t number = 0;
    bool is_told = body_read_environment(name, text, sizeof text) == 1 &&
                   body_number_parse(text, UINT32_MAX, &number);
    return is_told ? (uint32_t)number : otherwise;
}

/* The client is whole: it goes to another process, or waits here for somebody's end. */
static int have_no_room(struct server *server, struct baton_connection *connection) {
    struct wire_message nack = {.type = WIRE_NACK, .connection = connection->number};
    char text[WIRE_TEXT_MAX_BYTES];
    snprintf(text, sizeof text, "cannot fork: %s", strerror(errno));
    if (!server->is_waiting)
        fprintf(stderr, "%s\n", text);
    if (connection->number == 0) {
        server->waiting = *connection;
        server->is_waiting = true;
        server->retry_at_ms = body_now_ms() + RETRY_MS;
        return 0;
    }
    body_socket_close(&connection->socket);
    held_remove(&server->baton->held, connection->number);
    nack.reason = WIRE_REASON_BUSY;
    nack.text = (struct wire_text){text, strlen(text)};
    return serving_say(server->baton, &nack);
}

static int give_to_child(struct server *server, struct baton_connection *connection) {
    uint32_t number = connection->number;
    int result = children_fork(&server->children, connection);
    if (result == 1)
        return 0;
    if (result == 0)
        result = have_no_room(server, connection);
    else
        held_remove(&server->baton->held, number);
    return result == BATON_E_CLOSED ? 0 : result; /* the end is read next */
}

/* As soon as somebody has ended, or some time has passed; not if we are to end ourselves. */
static int try_again(struct server *server, uint32_t live_before_count) {
    struct baton_connection *waiting = &server->waiting;
    bool is_time =
        server->children.live_count < live_before_count || body_now_ms() >= server->retry_at_ms;
    if (!server->is_waiting || !is_time)
        return 0;
    struct baton_connection connection = *waiting;
    int result = give_to_child(server, &connection);
    if (connection.socket == BATON_SOCKET_NONE)
        server->is_waiting = false;
    return result;
}

static uint32_t wait_ms(const struct server *server) {
    uint64_t now_ms = body_now_ms();
    uint32_t most_ms = children_wait_ms(&server->children);
    if (!server->is_waiting)
        return most_ms;
    uint64_t left_ms = server->retry_at_ms > now_ms ? server->retry_at_ms - now_ms : 0;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}

static bool is_over(const struct server *server) {
    bool is_idle = server->children.live_count == 0 && !server->is_waiting;
    /* Whose end is ours is held for ever; so DRAIN or the end would not come. */
    return is_idle && (serving_is_over(server->baton) || server->children.lost_count > 0);
}

/* Returns 0, or the first fault; the children are served to their end in any case. *status is that
 * of a connection without a channel or listener. */
static int serve_all(struct server *server, serve_function *function, int *status) {
    struct baton *baton = server->baton;
    struct baton_connection connection;
    int fault = 0;
    while (!is_over(server)) {
        uint32_t live_count = server->children.live_count;
        baton->wait_ms = wait_ms(server);
        baton->is_held_up = server->is_waiting;
        connection = (struct baton_connection){.socket = BATON_SOCKET_NONE};
        int result = serving_step(baton, &connection);
        if (result == 1 && connection.number == 0 && connection.source == 0) {
            *status = serving_serve(baton, &connection, function);
            result = 0;
        } else if (result == 1) {
            result = give_to_child(server, &connection);
        }
        if (result < 0 && baton->has_channel)
            serving_fail(baton);
        if (result < 0 && fault == 0)
            fault = result;
        children_reap(&server->children);
        children_kill_late(&server->children);
        result = try_again(server, live_count);
        if (result < 0 && fault == 0)
            fault = result;
    }
    return fault;
}

/* Before HELLO, as part of what it takes to be ready. Who forks at most once gains nothing. */
static bool has_channel_for_many(void) {
    char text[1];
    return body_read_environment("BATON_CHANNEL", text, sizeof text) != 0 &&
           told_number("BATON_REUSE", 0) != 1;
}

static bool has_listener(const struct baton *baton) {
    bool is_there = false;
    for (size_t i = 0; i < baton->sources.used_mark; i++)
        is_there = is_there || baton->sources.items[i].kind == BATON_KIND_LISTENER;
    return is_there;
}

static int open_server(struct server *server, serve_function *function, uint32_t capacity) {
    const struct baton_options options = {
        .capacity = capacity, .cancelled = cancelled, .context = &server->children};
    server->children.function = function;
    /* Half of it, so that DONE is there in time. */
    server->children.stop_ms = told_number("BATON_STOP_MS", STOP_MS) / 2;
    fflush(NULL); /* or what is kept back would be written by each child */
    if (has_channel_for_many())
        heap_make_huge();
    int fault = capacity == 0 ? BATON_E_ARGUMENT : children_open(&server->children, capacity);
    if (fault == 0)
        fault = baton_open(&options, &server->baton);
    if (fault != 0)
        return fault;
    server->children.baton = server->baton;
    server->baton->forks = true;
    if (has_listener(server->baton))
        heap_make_huge();
    fault = body_wait_prepare(true);
    return fault == 0 ? children_watch(&server->children) : fault;
}

int baton_serve_forking(serve_function *function, uint32_t capacity) {
    struct server server = {.baton = NULL};
    int status = 0, fault = open_server(&server, function, capacity);
    if (fault != 0) {
        status = serving_complain("cannot start", fault);
    } else {
        fault = serve_all(&server, function, &status);
        if (fault == 0 && server.baton->broken)
            fault = BATON_E_SYSTEM;
        if (fault != 0)
            status = serving_complain("cannot go on", fault);
    }
    bool is_lost = server.children.lost_count > 0;
    children_close(&server.children);
    baton_close(&server.baton); /* SIGTERM means the end again */
    if (is_lost)
        raise(SIGTERM);
    return status;
}
