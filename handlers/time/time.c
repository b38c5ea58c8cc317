/*
 * Sends the seconds since 1900 as a number of 32 bits and ends; of UDP, to the sender of each
 * datagram (RFC 868). From 2036-02-07 06:28:16 UTC on the number cannot tell the time any more:
 * then, as the RFC says of a server that does not know it, nothing is sent.
 */
#include "baton.h"
#include "seconds.h"

#include <stdio.h>
#include <time.h>

enum { HANG_UP_MS = 1000, HANG_UP_BYTES = 65536 };

static int tell_time(struct baton_connection *connection) {
    unsigned char number[SECONDS_BYTES];
    if (!seconds_since_1900((int64_t)time(NULL), number)) {
        snprintf(connection->text, sizeof connection->text, "RFC 868 has no number for this year");
        return 1;
    }
    if (baton_send(connection, number, sizeof number) != 0)
        return 1;
    baton_hang_up(connection, HANG_UP_MS, HANG_UP_BYTES);
    return 0;
}

static int answer(struct baton_connection *connection, const void *bytes, size_t length) {
    unsigned char number[SECONDS_BYTES];
    (void)bytes, (void)length;
    if (!baton_may_answer(connection) || !seconds_since_1900((int64_t)time(NULL), number))
        return 0;
    return baton_send(connection, number, sizeof number);
}

int main(void) {
    return baton_serve_both(tell_time, answer);
}
