/* libbaton's loop for the usual handler, and its words. */
#include "serving.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    DATAGRAM_MAX_BYTES = 65536,
    DATAGRAMS_AT_A_TIME = 64 /* then whoever else waits, and DRAIN, have their turn */
};

typedef int datagram_function(struct baton_connection *connection, const void *bytes,
                              size_t length);

int serving_complain(const char *what, int fault) {
    bool is_named = fault == BATON_E_ENVIRONMENT;
    fprintf(stderr, "%s: %s%s%s\n", what, baton_strerror(fault), is_named ? ": " : "",
            is_named ? body_wrong_variable() : "");
    return 1;
}

static int serve_datagrams(struct baton_connection *connection, datagram_function *function) {
    static char bytes[DATAGRAM_MAX_BYTES];
    long length = 0;
    for (int i = 0; i < DATAGRAMS_AT_A_TIME && length >= 0; i++) {
        length = baton_receive_datagram(connection, bytes, sizeof bytes);
        if (length >= 0)
            function(connection, bytes, (size_t)length);
    }
    return length == BATON_E_SYSTEM ? serving_complain("cannot receive", BATON_E_SYSTEM) : 0;
}

/* Returns what the process should say of it at its end. */
static int serve_one(struct baton *baton, struct baton_connection *connection,
                     serve_function *function, datagram_function *datagram) {
    bool is_one_of_many = connection->source != 0;
    int status = 1;
    /* No other kind was asked for. */
    if (connection->kind == BATON_KIND_DATAGRAM && datagram != NULL)
        status = serve_datagrams(connection, datagram);
    else if (function != NULL)
        status = function(connection);
    const char *text = connection->text[0] != '\0' ? connection->text : NULL;
    status = status >= 0 && status <= UINT8_MAX ? status : 1;
    /* Without a DONE nobody else would say it. */
    if (connection->number == 0 && text != NULL)
        fprintf(stderr, "%s: %s\n", connection->peer, text);
    baton_finish(baton, connection, status, text);
    /* Of a datagram socket this is its own failure, which the next round would meet again. */
    return is_one_of_many && connection->kind != BATON_KIND_DATAGRAM ? 0 : status;
}

int serving_serve(struct baton *baton, struct baton_connection *connection,
                  serve_function *function) {
    return serve_one(baton, connection, function, NULL);
}

int baton_serve_both(serve_function *function, datagram_function *datagram) {
    struct baton *baton = NULL;
    struct baton_connection connection;
    struct baton_options options = {.kinds = 0};
    int status = 0;
    if (function != NULL)
        options.kinds |= BATON_KIND_CONNECTION;
    if (datagram != NULL)
        options.kinds |= BATON_KIND_DATAGRAM;
    int result = baton_open(&options, &baton);
    if (result != 0)
        return serving_complain("cannot start", result);
    while ((result = baton_next(baton, &connection)) == 1) {
        status = serve_one(baton, &connection, function, datagram);
        if (status != 0 && connection.kind == BATON_KIND_DATAGRAM)
            break;
    }
    if (result < 0)
        status = serving_complain("cannot go on", result);
    baton_close(&baton);
    return status;
}

int baton_serve(serve_function *function) {
    return baton_serve_both(function, NULL);
}

const char *baton_strerror(int fault) {
    switch (fault) {
    case 0:
        return "no error";
    case BATON_E_SYSTEM:
        return "a system call failed";
    case BATON_E_NO_SOURCE:
        return "nothing to serve: no channel, and no socket of a kind that this program serves in "
               "LISTEN_FDS or on standard input (start it by batond; not with handoff = pump, and "
               "with protocol = udp only if it serves datagrams)";
    case BATON_E_ENVIRONMENT:
        return "BATON_ or LISTEN_ variables of the environment are malformed or stale, or name "
               "what was not passed";
    case BATON_E_IDLE_MS:
        return "LIBBATON_IDLE_MS of the environment is no number of milliseconds from 0 to "
               "4294967295";
    case BATON_E_VERSION:
        return "the supervisor does not speak protocol version 1";
    case BATON_E_PROTOCOL:
        return "the supervisor broke the channel protocol";
    case BATON_E_CLOSED:
        return "the other side has gone";
    case BATON_E_MEMORY:
        return "out of memory";
    case BATON_E_ARGUMENT:
        return "argument out of range";
    case BATON_E_AGAIN:
        return "no datagram waits";
    case BATON_E_UNSUPPORTED:
        return "this system has no fork(2), so a server cannot fork for each connection: serve by "
               "baton_serve(), with a process or a thread for each";
    }
    return "unknown error";
}
