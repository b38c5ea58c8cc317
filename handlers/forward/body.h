/* What forward asks of the system: sockets that do not block. posix/ and win32/ are two bodies of
 * it.
 */
#ifndef BATON_FORWARD_BODY_H
#define BATON_FORWARD_BODY_H

#include "baton.h"

#include <stdbool.h>

/* Connects to `host` and `port`, one of its addresses after the other, within `timeout_ms` in all
 * (and what the look-up of the name takes). Returns a socket that does not block, to be closed with
 * forward_close(); BATON_SOCKET_NONE on failure, and the reason in `why`. */
baton_socket forward_connect(const char *host, const char *port, uint32_t timeout_ms, char *why,
                             size_t why_bytes);

/* Makes a socket not block, and what comes as urgent stay in its place among the other bytes
 * (SO_OOBINLINE; it is passed on like them). Returns 0, or -1. */
int forward_prepare(baton_socket socket);

/* What is wished for a socket; forward_wait() leaves what can be done. */
struct forward_wish {
    baton_socket socket;
    bool receive, send;
};

/* Blocks until at least one wish can be tried. Returns 0, or -1. */
int forward_wait(struct forward_wish wishes[2]);

#define FORWARD_AGAIN (-1)  /* nothing can be done now */
#define FORWARD_BROKEN (-2) /* reset, or broken otherwise */

/* Returns 1..size, 0 at the end of the other side's sending, AGAIN or BROKEN. */
long forward_receive(baton_socket socket, void *bytes, size_t size);

/* Returns how many of the bytes were taken, 1..size, AGAIN or BROKEN. */
long forward_send(baton_socket socket, const void *bytes, size_t size);

/* Ends our sending; what was sent before still arrives. */
void forward_end_sending(baton_socket socket);

/* Closing shall reset the connection, so that nobody takes what came for all there was. */
void forward_reset_at_close(baton_socket socket);

void forward_close(baton_socket socket);

#endif
