/*
 * Sends lines of the printable characters, each line one character on, until the client ends; of
 * UDP, some of them for each datagram (RFC 864).
 *
 * Anybody can send a datagram in another's name, and the answer then goes to that other: a service
 * whose answers are longer than the questions multiplies what an attacker can send. RFC 864 lets
 * the answer be 0 to 512 characters at will; here it is never longer than what came. Offer this to
 * your own network all the same, and not to the world.
 */
#include "baton.h"

enum { FIRST = ' ', COUNT = '~' - ' ' + 1, LINE = 72, LINE_BYTES = LINE + 2, ANSWER_BYTES = 512 };

/* Lines from the one that begins with character `shift` on; returns the line after the last. */
static unsigned fill(char *out, unsigned line_count, unsigned shift) {
    for (unsigned line = 0; line < line_count; line++, shift = (shift + 1) % COUNT) {
        for (unsigned i = 0; i < LINE; i++)
            *out++ = (char)(FIRST + (shift + i) % COUNT);
        *out++ = '\r';
        *out++ = '\n';
    }
    return shift;
}

/* The client's going away is the way for this to end. */
static int generate(struct baton_connection *connection) {
    char lines[64 * LINE_BYTES];
    unsigned shift = 0;
    int result = 0;
    while (result == 0) {
        shift = fill(lines, 64, shift);
        result = baton_send(connection, lines, sizeof lines);
    }
    return result != BATON_E_CLOSED;
}

static int answer(struct baton_connection *connection, const void *bytes, size_t length) {
    static unsigned shift;
    char lines[(ANSWER_BYTES / LINE_BYTES + 1) * LINE_BYTES];
    (void)bytes;
    if (!baton_may_answer(connection))
        return 0;
    fill(lines, sizeof lines / LINE_BYTES, shift++ % COUNT);
    return baton_send(connection, lines, length < ANSWER_BYTES ? length : ANSWER_BYTES);
}

int main(void) {
    return baton_serve_both(generate, answer);
}
