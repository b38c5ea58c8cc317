/* Throws away what it receives until the client ends, and never answers; TCP and UDP (RFC 863). */
#include "baton.h"

static int discard(struct baton_connection *connection) {
    char bytes[65536];
    long length;
    while ((length = baton_receive(connection, bytes, sizeof bytes)) > 0) {
    }
    return length < 0;
}

static int discard_datagram(struct baton_connection *connection, const void *bytes, size_t length) {
    (void)connection, (void)bytes, (void)length;
    return 0;
}

int main(void) {
    return baton_serve_both(discard, discard_datagram);
}
