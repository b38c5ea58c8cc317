#include "checks.h"

#include "sockets.h"

#include <stdio.h>
#include <string.h>

/* Prints a socket's name independently of libbaton, which printed the offer's. The IPv4 client of a
 * listener for both families is one of IPv4 there, and ::ffff:192.0.2.1 to the system (RFC 4291,
 * 2.5.5.2). */
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
        bool is_ipv4 = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        if (is_ipv4)
            inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], host, sizeof host);
        else
            inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        snprintf(out, size, is_ipv4 ? "%s:%u" : "[%s]:%u", host, (unsigned)ntohs(in6.sin6_port));
    }
}

static void judge_name(struct verdict *verdict, const struct sockaddr_storage *name,
                       const char *promised) {
    char text[BATON_ADDRESS_BYTES] = "nothing";
    if (name != NULL)
        print_name(name, text, sizeof text);
    judge(verdict, strcmp(text, promised) == 0, "%s, not %s", text, promised);
}

void check_peer_name(const struct subject *subject, struct verdict *verdict) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    int result = getpeername(subject->connection->socket, (struct sockaddr *)&name, &length);
    const struct baton_connection *connection = subject->connection;
    if (connection->path[0] != '\0')
        skip(verdict, "a local socket's client has no name");
    else
        judge_name(verdict, result == 0 ? &name : NULL,
                   connection->via[0] != '\0' ? connection->via : connection->peer);
}

void check_own_name(const struct subject *subject, struct verdict *verdict) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    int result = getsockname(subject->connection->socket, (struct sockaddr *)&name, &length);
    if (subject->connection->path[0] != '\0')
        skip(verdict, "a local socket has a path");
    else if (subject->connection->via[0] != '\0')
        skip(verdict, "a proxy told where the client connected to");
    else
        judge_name(verdict, result == 0 ? &name : NULL, subject->connection->local);
}
