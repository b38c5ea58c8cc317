/*
 * What a connection costs without a supervisor's promises: accept, vfork, exec with the socket as
 * standard input and output, reap. The least that any super-server does, so the measure for ours.
 *
 *     baseline PROGRAM [ARGUMENT...]     prints its port on standard output, serves until it is
 * terminated
 */
#include "listening.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("usage: baseline PROGRAM [ARGUMENT...]\n", stderr);
        return 64;
    }
    int listener = listen_anywhere("baseline", 511);
    /* The kernel reaps: not even a record of the exit. */
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0) {
            continue;
        }
        /* As batond does it; posix_spawn would do as well here.
         * NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
        if (vfork() == 0) {
            dup2(connection, 0);
            dup2(connection, 1);
            execve(argv[1], argv + 1, environ);
            _exit(127);
        }
        /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
        close(connection);
    }
}
