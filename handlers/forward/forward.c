/*
 * Passes a connection on: forward HOST PORT ("redirect" elsewhere). What one side sends goes to the
 * other, and so does the end of its sending, while the opposite direction goes on; a reset is
 * passed on as a reset. A side that does not read holds up the other one: nothing is kept but
 * BUFFER_BYTES for each direction.
 */
#include "baton.h"
#include "body.h"

#include <stdio.h>

enum { BUFFER_BYTES = 65536, CONNECT_TIMEOUT_MS = 10000, EXIT_USAGE = 64 };

/* One direction. What was received and not yet sent are `count` bytes from `first` on. */
struct flow {
    baton_socket from, to;
    size_t first, count;
    uint64_t total_bytes;
    bool has_ended;    /* `from` sends no more */
    bool is_passed_on; /* and `to` knows */
    char bytes[BUFFER_BYTES];
};

static const char *host, *port;

/* Receives when the buffer is empty. False if the connection is broken. */
static bool fill(struct flow *flow) {
    long length = forward_receive(flow->from, flow->bytes, sizeof flow->bytes);
    flow->has_ended = length == 0;
    flow->first = 0;
    flow->count = length > 0 ? (size_t)length : 0;
    flow->total_bytes += flow->count;
    return length != FORWARD_BROKEN;
}

/* Sends what is there, and the end after the last byte. False if the connection is broken. */
static bool drain(struct flow *flow) {
    long length = 1;
    while (flow->count > 0 && length > 0) {
        length = forward_send(flow->to, flow->bytes + flow->first, flow->count);
        if (length > 0) {
            flow->first += (size_t)length;
            flow->count -= (size_t)length;
        }
    }
    if (flow->has_ended && flow->count == 0 && !flow->is_passed_on) {
        forward_end_sending(flow->to);
        flow->is_passed_on = true;
    }
    return length != FORWARD_BROKEN;
}

static bool step(struct flow *flow, bool can_receive, bool can_send) {
    if (can_receive && !fill(flow))
        return false;
    return (!can_receive && !can_send) || drain(flow);
}

/* Both directions to their ends. False if one of the connections broke, or waiting failed. */
static bool pass(struct flow *in, struct flow *out) {
    while (!in->is_passed_on || !out->is_passed_on) {
        struct forward_wish wishes[2] = {
            {in->from, !in->has_ended && in->count == 0, out->count > 0},
            {in->to, !out->has_ended && out->count == 0, in->count > 0},
        };
        if (forward_wait(wishes) != 0)
            return false;
        if (!step(in, wishes[0].receive, wishes[1].send) ||
            !step(out, wishes[1].receive, wishes[0].send))
            return false;
    }
    return true;
}

static bool pass_on(struct baton_connection *connection, baton_socket target) {
    static struct flow in, out;
    in.from = out.to = connection->socket;
    in.to = out.from = target;
    in.first = in.count = out.first = out.count = 0;
    in.total_bytes = out.total_bytes = 0;
    in.has_ended = in.is_passed_on = out.has_ended = out.is_passed_on = false;
    bool is_whole =
        forward_prepare(connection->socket) == 0 && forward_prepare(target) == 0 && pass(&in, &out);
    connection->bytes_in = in.total_bytes;
    connection->bytes_out = out.total_bytes - out.count;
    return is_whole;
}

static int forward(struct baton_connection *connection) {
    char why[200];
    baton_socket target = forward_connect(host, port, CONNECT_TIMEOUT_MS, why, sizeof why);
    if (target == BATON_SOCKET_NONE) {
        snprintf(connection->text, sizeof connection->text,
                 "no connection to %.64s port %.16s: %.150s", host, port, why);
        forward_reset_at_close(connection->socket);
        return 1;
    }
    bool is_whole = pass_on(connection, target);
    if (!is_whole) {
        snprintf(connection->text, sizeof connection->text, "reset before its end");
        forward_reset_at_close(connection->socket);
        forward_reset_at_close(target);
    }
    forward_close(target);
    return !is_whole;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: forward HOST PORT\n");
        return EXIT_USAGE;
    }
    host = argv[1];
    port = argv[2];
    return baton_serve(forward);
}
