/*
 * Answers OK to every message until the client ends, and logs what it received.
 *
 * A message is what one recv() brings. TCP keeps no boundaries, so a client that wants one OK for
 * each message waits for the answer before it sends the next.
 */
#include "baton.h"

#include <stdio.h>

/* Unprintable bytes are escaped: the log is read on terminals, and clients are strangers. */
static void log_message(const struct baton_connection *connection, const char *bytes, long length) {
    char line[4 * 1024 + 1];
    size_t at = 0;
    for (long i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '\\')
            line[at++] = (char)byte;
        else
            at += (size_t)snprintf(line + at, sizeof line - at, "\\x%02x", byte);
    }
    line[at] = '\0';
    fprintf(stderr, "%s said: %s\n", connection->peer, line);
}

static int answer(struct baton_connection *connection) {
    char message[1024];
    long length;
    while ((length = baton_receive(connection, message, sizeof message)) > 0) {
        log_message(connection, message, length);
        if (baton_send(connection, "OK", 2) != 0)
            return 1;
    }
    return length < 0;
}

int main(void) {
    return baton_serve(answer);
}
