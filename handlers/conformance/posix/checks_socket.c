#include "../checks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* What a client may say before it is not waited for any more. */
enum { READS_MAX_COUNT = 64 };

void check_socket_inheritance(const struct subject *subject, struct verdict *verdict) {
    judge(verdict, fcntl(subject->connection->socket, F_GETFD) == FD_CLOEXEC,
          "FD_CLOEXEC is not set");
}

void check_event_registration(const struct subject *subject, struct verdict *verdict) {
    (void)subject;
    skip(verdict, "WSAEventSelect is of Windows");
}

void check_blocking(const struct subject *subject, struct verdict *verdict) {
    struct timeval patience = {.tv_usec = 100000}, for_ever = {0};
    int socket = subject->connection->socket;
    char bytes[1024];
    ssize_t length = 1;
    if ((fcntl(socket, F_GETFL) & O_NONBLOCK) != 0) {
        judge(verdict, false, "O_NONBLOCK is set");
        return;
    }
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int i = 0; i < READS_MAX_COUNT && length > 0; i++)
        length = recv(socket, bytes, sizeof bytes, 0);
    int error = errno;
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof for_ever);
    if (length >= 0)
        skip(verdict, length > 0 ? "the client talks on and on" : "the client has ended");
    else
        judge(verdict, error == EAGAIN, "%s", strerror(error));
}

void check_shutdown(const struct subject *subject, struct verdict *verdict) {
    int result = shutdown(subject->connection->socket, SHUT_RD);
    judge(verdict, result == 0, "%s", strerror(errno));
}

void check_completion_port(const struct subject *subject, struct verdict *verdict) {
    (void)subject;
    skip(verdict, "completion ports are of Windows");
}
