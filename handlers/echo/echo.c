/* Sends back what it receives until the client ends; of UDP, each datagram (RFC 862). */
#include "baton.h"

static int echo(struct baton_connection *connection) {
    char bytes[16384];
    long length;
    while ((length = baton_receive(connection, bytes, sizeof bytes)) > 0)
        if (baton_send(connection, bytes, (size_t)length) != 0)
            return 1;
    return length < 0;
}

static int echo_datagram(struct baton_connection *connection, const void *bytes, size_t length) {
    return baton_may_answer(connection) ? baton_send(connection, bytes, length) : 0;
}

int main(void) {
    return baton_serve_both(echo, echo_datagram);
}
