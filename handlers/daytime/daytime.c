/* Sends date and time as a line of text and ends, whatever the client says (RFC 867). UTC. */
#include "baton.h"

#include <time.h>

enum { HANG_UP_MS = 1000, HANG_UP_BYTES = 65536 };

static int tell_time(struct baton_connection *connection) {
    char line[64];
    time_t now = time(NULL);
    size_t length = strftime(line, sizeof line, "%A, %B %d, %Y %H:%M:%S-UTC\r\n", gmtime(&now));
    if (baton_send(connection, line, length) != 0)
        return 1;
    baton_hang_up(connection, HANG_UP_MS, HANG_UP_BYTES);
    return 0;
}

int main(void) {
    return baton_serve(tell_time);
}
