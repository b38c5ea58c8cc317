/*
 * The least that a door costs: accept, close. Nobody is served; or, with a program, whoever comes
 * from 127.0.0.1 is, by a launch as cheap as any, and all others are turned away.
 *
 *     bare [PROGRAM]    prints its port on standard output, goes on until it is terminated
 */
#include "listening.h"

#include <signal.h>
#include <unistd.h>

extern char **environ;

/* As flood.py has it of batond. */
enum { FLOOD_BACKLOG = 4096 };

static void serve(int connection, const char *program, char *const *arguments) {
    /* As batond does it; posix_spawn would do as well here.
     * NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    if (vfork() == 0) {
        dup2(connection, 0);
        dup2(connection, 1);
        execve(program, arguments, environ);
        _exit(127);
    }
    /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
}

int main(int argc, char **argv) {
    if (argc > 2) {
        fputs("usage: bare [PROGRAM]\n", stderr);
        return 64;
    }
    const char *program = argc == 2 ? argv[1] : NULL;
    char *const arguments[] = {argv[argc - 1], NULL};
    int listener = listen_anywhere("bare", FLOOD_BACKLOG);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        struct sockaddr_in peer = {0};
        socklen_t length = sizeof peer;
        int connection = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        if (connection < 0)
            continue;
        if (program != NULL && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK))
            serve(connection, program, arguments);
        close(connection);
    }
}
