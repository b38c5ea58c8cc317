/* Which datagrams may be answered, by a service that answers whatever it gets. */
#include "body.h"

enum { RESERVED_PORTS_END = 1024 };

/*
 * Ports above the reserved ones whose services answer, or tell of an error, whatever they get, and
 * from which no program asks: NFS and SUN's RPC (2049), SSDP (1900), Xbox and games' discovery
 * (3074), WS-Discovery (3702), SIP (5060), multicast DNS (5353), CoAP (5683), memcached (11211),
 * Quake's family (27960).
 */
static const unsigned answering_ports[] = {1900, 2049, 3074, 3702, 5060, 5353, 5683, 11211, 27960};

static bool is_ours(const struct body_sources *sources, unsigned port) {
    for (size_t i = 0; sources != NULL && i < BODY_SOURCES_MAX_COUNT; i++)
        if (atomic_load(&sources->items[i].datagram_port) == port)
            return true;
    return false;
}

int baton_would_loop(const struct baton_connection *connection) {
    unsigned port = body_port_of(connection->peer);
    /* A reserved port is a service's (RFC 6335, 6): clients have higher ones, and 0 is none. */
    if (port < RESERVED_PORTS_END || port == body_port_of(connection->local) ||
        is_ours(connection->sources, port))
        return 1;
    for (size_t i = 0; i < sizeof answering_ports / sizeof *answering_ports; i++)
        if (port == answering_ports[i])
            return 1;
    return 0;
}

int baton_may_answer(struct baton_connection *connection) {
    struct body_sources *sources = connection->sources;
    if (baton_would_loop(connection))
        return 0;
    if (sources == NULL || connection->source == 0)
        return 1;
    /* Of this socket, which is lent to nobody else meanwhile. */
    struct limit *limit = &sources->items[connection->source - 1].limit;
    return limit_take(limit, connection->peer, body_now_ms());
}
