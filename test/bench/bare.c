/*
 * The least that turning a client away costs: accept, close.
 *
 *     bare     prints its port on standard output, goes on until it is terminated
 */
#include "listening.h"

#include <sys/socket.h>
#include <unistd.h>

/* As flood.py has it of batond. */
enum { FLOOD_BACKLOG = 4096 };

int main(void) {
    int listener = listen_anywhere("bare", FLOOD_BACKLOG);
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection >= 0)
            close(connection);
    }
}
