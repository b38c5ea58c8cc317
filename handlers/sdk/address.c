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

/* ::ffff:192.0.2.1 is the IPv4 client of a listener for both families (RFC 4291, 2.5.5.2). */
static void unmap(struct wire_address *address) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (address->family != 6 || memcmp(address->bytes, prefix, sizeof prefix) != 0)
        return;
    address->family = 4;
    memmove(address->bytes, address->bytes + sizeof prefix, 4);
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
        unmap(&address);
    }
    return address;
}

uint16_t body_bound_port(baton_socket socket) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    if (getsockname(socket, (struct sockaddr *)&name, &length) != 0)
        return 0;
    return from_system(&name).port;
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
    body_socket_local(connection);
}

uint16_t body_port_of(const char *address) {
    const char *colon = strrchr(address, ':');
    uint64_t port = 0;
    return colon != NULL && body_number_parse(colon + 1, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

void body_datagram_addresses(struct baton_connection *connection) {
    struct sockaddr_storage name = {0};
    memcpy(&name, connection->sender, connection->sender_bytes);
    struct wire_address address = from_system(&name);
    body_address_print(&address, connection->peer);
    if (connection->arrival_family == 0)
        return;
    address = (struct wire_address){.family = (uint8_t)connection->arrival_family};
    address.port = body_port_of(connection->local);
    memcpy(address.bytes, connection->arrival_address, address.family == 4 ? 4 : 16);
    unmap(&address);
    body_address_print(&address, connection->local);
}

/* "REMOTE_ADDR" and "REMOTE_PORT" to "192.0.2.1:5000". False, and nothing is changed, if they are
 * not there, or are no address and no port. */
static bool read_address(const char *host_name, const char *port_name,
                         char out[BATON_ADDRESS_BYTES]) {
    char host[INET6_ADDRSTRLEN], port_text[8];
    struct wire_address address = {0};
    uint64_t port = 0;
    if (body_read_environment(host_name, host, sizeof host) != 1 ||
        body_read_environment(port_name, port_text, sizeof port_text) != 1 ||
        !body_number_parse(port_text, UINT16_MAX, &port))
        return false;
    address.family = strchr(host, ':') != NULL ? 6 : 4;
    address.port = (uint16_t)port;
    if (inet_pton(address.family == 6 ? AF_INET6 : AF_INET, host, address.bytes) != 1)
        return false;
    body_address_print(&address, out);
    return true;
}

void body_environment_facts(struct baton_connection *connection) {
    char number[24], direct[BATON_ADDRESS_BYTES];
    uint64_t count = 0;
    if (body_read_environment("BATON_ID", number, sizeof number) != 1)
        return;
    if (body_read_environment("TCPCONNNUM", number, sizeof number) == 1 &&
        body_number_parse(number, UINT32_MAX, &count))
        connection->peer_count = (uint32_t)count;
    memcpy(direct, connection->peer, sizeof direct);
    if (read_address("REMOTE_ADDR", "REMOTE_PORT", connection->peer) &&
        strcmp(direct, connection->peer) != 0)
        memcpy(connection->via, direct, sizeof direct);
    read_address("SERVER_ADDR", "SERVER_PORT", connection->local);
}
