#include "body.h"
#include "sockets.h"

#include <stdio.h>
#include <string.h>

void body_address_print(const struct wire_address *address, char out[BATON_ADDRESS_BYTES]) {
    char host[INET6_ADDRSTRLEN];
    out[0] = '\0';
    if (address->family == 0 || inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes,
                                          host, sizeof host) == NULL)
        return;
    snprintf(out, BATON_ADDRESS_BYTES, address->family == 4 ? "%s:%u" : "[%s]:%u", host,
             (unsigned)address->port);
}

static struct wire_address from_system(const struct sockaddr_storage *name) {
    struct wire_address address = {0};
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)name;
        address.family = 4;
        address.port = ntohs(in->sin_port);
        memcpy(address.bytes, &in->sin_addr, 4);
    } else if (name->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)name;
        address.family = 6;
        address.port = ntohs(in6->sin6_port);
        memcpy(address.bytes, &in6->sin6_addr, 16);
    }
    return address;
}

void body_socket_addresses(struct baton_connection *connection) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    struct wire_address address = {0};
    if (getpeername(connection->socket, (struct sockaddr *)&name, &length) == 0)
        address = from_system(&name);
    body_address_print(&address, connection->peer);
    length = sizeof name;
    address = (struct wire_address){0};
    if (getsockname(connection->socket, (struct sockaddr *)&name, &length) == 0)
        address = from_system(&name);
    body_address_print(&address, connection->local);
}
