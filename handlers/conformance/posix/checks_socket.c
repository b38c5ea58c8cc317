#include "../checks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* What a client may say before it is not waited for any more. */
enum { READS_MAX_COUNT = 64 };

void check_socket_inheritance(const struct subject *subject, struct verdict *verdict) {
    judge(verdict, fcntl(subject->connection->socket, F_GETFD) == FD_CLOEXEC,
          "FD_CLOEXEC is not set");
}

/* Prints a socket's name independently of libbaton, which printed the offer's. */
static void print_name(const struct sockaddr_storage *name, char *out, size_t size) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (name->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, name, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, (unsigned)ntohs(in.sin_port));
    } else {
        struct sockaddr_in6 in6;
        memcpy(&in6, name, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, (unsigned)ntohs(in6.sin6_port));
    }
}

void check_peer_name(const struct subject *subject, struct verdict *verdict) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    char text[BATON_ADDRESS_BYTES] = "nothing";
    if (getpeername(subject->connection->socket, (struct sockaddr *)&name, &length) == 0)
        print_name(&name, text, sizeof text);
    judge(verdict, strcmp(text, subject->connection->peer) == 0, "%s, not %s", text,
          subject->connection->peer);
}

void check_own_name(const struct subject *subject, struct verdict *verdict) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    char text[BATON_ADDRESS_BYTES] = "nothing";
    if (getsockname(subject->connection->socket, (struct sockaddr *)&name, &length) == 0)
        print_name(&name, text, sizeof text);
    judge(verdict, strcmp(text, subject->connection->local) == 0, "%s, not %s", text,
          subject->connection->local);
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
