/*
 * The facts about a connection, as two tables: the facts themselves, each with the name that stands
 * for it in braces, and the variables of a handler's environment, each with the fact that is its
 * value. core/tell/filling.h fills them in for one connection; the same facts travel as fields of
 * the OFFER (handlers/PROTOCOL.md).
 *
 * Templates: {service} {id} {protocol} {port} {local_address} {path} {peer_address} {peer_port}
 * {peer_uid} {peer_pid} {peer_count}; {{ and }} are braces. A fact that is not known (the port of a
 * local socket, the user of a TCP client) is an empty text; a variable whose value is one such
 * template and nothing else is not set at all.
 *
 * UCSPI names: https://cr.yp.to/proto/ucspi.txt; TCPCONNNUM is the count of live connections from
 * the same address when this one came, itself included: the PEER_COUNT of an OFFER says the same.
 * PROTO is TCP for IPv4 and IPv6 alike, as in s6-tcpserver, so that a program which knows only the
 * classic set serves both; TCPREMOTEIP then is an IPv6 address. For a local socket the names are
 * those of ucspi-unix (PROTO is UNIX, UNIXREMOTEEUID and UNIXREMOTEPID where the system tells
 * them), unless a PROXY header named a client that came by TCP: then PROTO is TCP and the TCP names
 * are there too. Addresses have no zone ("%2"): few programs can parse one.
 *
 * A service whose listener is handed over (UDP always) knows no client. Its handlers get
 * BATON_SERVICE, BATON_ID and where somebody waits (SERVER_ADDR and SERVER_PORT, or UNIXLOCALPATH),
 * and no PROTO, which would promise a connection on the standard streams.
 *
 * A process that serves many (service_serves_many()) is there before its clients. It gets
 * BATON_SERVICE and, of a single place, what is known of that before anybody comes; what is told of
 * a connection stands in its OFFER alone.
 */
#ifndef BATON_SERVICE_FACTS_H
#define BATON_SERVICE_FACTS_H

#include "core/service/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACT_U16_DIGITS 5
#define FACT_U32_DIGITS 10
#define FACT_U64_DIGITS 20
#define FACT_HOST_BYTES 45 /* INET6_ADDRSTRLEN, without its NUL */
#define FACT_PROTOCOL_BYTES 4
#define FACT_IN_SERVICE 0 /* the longest is the service's to say: fact_max_bytes() */

/* Id, name in braces, longest text without NUL: of where a client has come to, and of the client.
 * A service whose listener is handed over knows the first kind alone. */
#define FACT_TABLE_OF_PLACE(X)                                                                     \
    X(SERVICE, "service", FACT_IN_SERVICE)                                                         \
    X(ID, "id", FACT_U64_DIGITS)                                                                   \
    X(PROTOCOL, "protocol", FACT_PROTOCOL_BYTES)                                                   \
    X(PORT, "port", FACT_U16_DIGITS)                                                               \
    X(LOCAL_ADDRESS, "local_address", FACT_HOST_BYTES)                                             \
    X(PATH, "path", FACT_IN_SERVICE)
#define FACT_TABLE_OF_PEER(X)                                                                      \
    X(PEER_ADDRESS, "peer_address", FACT_HOST_BYTES)                                               \
    X(PEER_PORT, "peer_port", FACT_U16_DIGITS)                                                     \
    X(PEER_UID, "peer_uid", FACT_U32_DIGITS)                                                       \
    X(PEER_PID, "peer_pid", FACT_U32_DIGITS)                                                       \
    X(PEER_COUNT, "peer_count", FACT_U32_DIGITS)

enum fact_id {
#define FACT_ENUM(id, name, max_bytes) FACT_##id,
    FACT_TABLE_OF_PLACE(FACT_ENUM) FACT_TABLE_OF_PEER(FACT_ENUM)
#undef FACT_ENUM
        FACT_COUNT
};

/* The fact whose name is the `length` bytes at `name`; FACT_COUNT if there is none. */
enum fact_id fact_find(const char *name, size_t length);

/* True if only a service that knows each of its clients has it. */
bool fact_is_of_peer(enum fact_id fact);

/* True if the fact is the same for every connection of the service, and known before there is one.
 * Its listen entries must be set. */
bool fact_is_of_service(enum fact_id fact, const struct service *service);

/* The longest text of the fact for a connection of the service, in bytes without NUL. The service's
 * name and listen entries must be set. */
size_t fact_max_bytes(enum fact_id fact, const struct service *service);

/* What is known at a launch, by protocol and hand-off: a bit mask. An activation is the launch of a
 * handler that is given the listener itself; MANY is said of service_serves_many(). */
enum fact_context {
    FACT_OF_IP = 1,
    FACT_OF_IP_ACTIVATION = 2,
    FACT_OF_UNIX = 4,
    FACT_OF_UNIX_ACTIVATION = 8,
    FACT_OF_IP_MANY = 16,
    FACT_OF_UNIX_MANY = 32
};

enum fact_context fact_context_of(enum service_protocol protocol, enum service_handoff handoff,
                                  bool serves_many);

/* A variable of the environment. */
struct fact_variable {
    char name[15];
    char template[16]; /* its value: one fact in braces, and nothing else */
    uint8_t contexts;  /* enum fact_context: who gets it */
};

/* In the order in which handlers get them; the name of the last is "". */
extern const struct fact_variable fact_variables[];

/* The next variable of the context at or after `variable`, which points into fact_variables; NULL
 * if there is none. */
const struct fact_variable *fact_variable_next(const struct fact_variable *variable,
                                               enum fact_context context);

#endif
