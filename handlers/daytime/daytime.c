/* Sends date and time as a line of text and ends, whatever the client says; of UDP, to the sender
 * of each datagram (RFC 867). UTC. */
#include "baton.h"

#include <time.h>

enum { HANG_UP_MS = 1000, HANG_UP_BYTES = 65536 };

static int send_time(struct baton_connection *connection) {
    char line[64];
    time_t now = time(NULL);
    size_t length = strftime(line, sizeof line, "%A, %B %d, %Y %H:%M:%S-UTC\r\n", gmtime(&now));
    return baton_send(connection, line, length);
}

static int tell_time(struct baton_connection *connection) {
    if (send_time(connection) != 0)
        return 1;
    baton_hang_up(connection, HANG_UP_MS, HANG_UP_BYTES);
    return 0;
}

static int answer(struct baton_connection *connection, const void *bytes, size_t length) {
    (void)bytes, (void)length;
    return baton_may_answer(connection) ? send_time(connection) : 0;
}

int main(void) {
    return baton_serve_both(tell_time, answer);
}
