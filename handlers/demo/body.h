/* What baton-demo asks of the system. posix/ and win32/ are two bodies of it. */
#ifndef BATON_DEMO_BODY_H
#define BATON_DEMO_BODY_H

#include "baton.h"

#include <stdint.h>

/* Gets ready for sockets. Returns 0, or -1. */
int demo_prepare(void);

/* Milliseconds from an arbitrary start; never goes back. */
int64_t demo_now_ms(void);

/* Connects to `host` and `port` within `timeout_ms`, and gives the socket that same limit for every
 * send and receive. The caller closes it with demo_close(). BATON_SOCKET_NONE on failure, and the
 * reason in `why`. Blocks up to `timeout_ms`, and for the look-up of the name. */
baton_socket demo_connect(const char *host, const char *port, uint32_t timeout_ms, char *why,
                          size_t why_bytes);

void demo_close(baton_socket socket);

/* Runs function(items + i * item_bytes) for each i < count, each in its own thread, and waits for
 * all. Returns 0, or -1 if a thread could not be started (those that were are waited for). */
int demo_run_threads(void (*function)(void *item), void *items, size_t item_bytes, size_t count);

#endif
