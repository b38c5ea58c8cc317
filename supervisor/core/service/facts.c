#include "core/service/facts.h"

#include <string.h>

/* Without pointers, as all of these tables: each would be a relocation. */
struct fact {
    char name[14];
    uint8_t max_bytes;
    bool of_peer;
};

static const struct fact facts[FACT_COUNT] = {
#define FACT_ROW_OF_PLACE(id, name, max_bytes) [FACT_##id] = {name, max_bytes, false},
#define FACT_ROW_OF_PEER(id, name, max_bytes) [FACT_##id] = {name, max_bytes, true},
    FACT_TABLE_OF_PLACE(FACT_ROW_OF_PLACE) FACT_TABLE_OF_PEER(FACT_ROW_OF_PEER)};

enum fact_id fact_find(const char *name, size_t length) {
    int fact = 0;
    while (fact < FACT_COUNT &&
           (strlen(facts[fact].name) != length || memcmp(facts[fact].name, name, length) != 0)) {
        fact++;
    }
    return (enum fact_id)fact;
}

bool fact_is_of_peer(enum fact_id fact) {
    return facts[fact].of_peer;
}

size_t fact_max_bytes(enum fact_id fact, const struct service *service) {
    size_t most = facts[fact].max_bytes;
    if (fact == FACT_SERVICE) {
        most = strlen(service->name);
    }
    for (size_t i = 0; fact == FACT_PATH && i < service->listen_count; i++) {
        size_t bytes = service->listen[i].path == NULL ? 0 : strlen(service->listen[i].path);
        most = bytes > most ? bytes : most;
    }
    return most;
}

bool fact_is_of_service(enum fact_id fact, const struct service *service) {
    const struct address *address = &service->listen[0].address;
    bool is_single = service->listen_count == 1;
    /* A proxy names where its client has come to. */
    bool is_known = is_single && service->proxy_protocol == 0 &&
                    (service->protocol == PROTOCOL_UNIX || address->port != 0);
    switch (fact) {
    case FACT_SERVICE:
        return true;
    case FACT_PROTOCOL:
        return service->protocol == PROTOCOL_TCP || service->proxy_protocol == 0;
    case FACT_PORT:
        return is_known;
    case FACT_LOCAL_ADDRESS:
        return is_known && !address_is_any(address);
    case FACT_PATH:
        return is_single || service->protocol != PROTOCOL_UNIX;
    default:
        return false;
    }
}

enum fact_context fact_context_of(enum service_protocol protocol, enum service_handoff handoff,
                                  bool serves_many) {
    if (serves_many) {
        return protocol == PROTOCOL_UNIX ? FACT_OF_UNIX_MANY : FACT_OF_IP_MANY;
    }
    if (protocol == PROTOCOL_UNIX) {
        return handoff == HANDOFF_LISTENER ? FACT_OF_UNIX_ACTIVATION : FACT_OF_UNIX;
    }
    bool is_activation = handoff == HANDOFF_LISTENER || protocol == PROTOCOL_UDP;
    return is_activation ? FACT_OF_IP_ACTIVATION : FACT_OF_IP;
}

#define OF_LAUNCH (FACT_OF_IP | FACT_OF_IP_ACTIVATION | FACT_OF_UNIX | FACT_OF_UNIX_ACTIVATION)
#define OF_ALL (OF_LAUNCH | FACT_OF_IP_MANY | FACT_OF_UNIX_MANY)
/* A client of a local socket may have a PROXY header, which names addresses. */
#define OF_IP_PLACE (FACT_OF_IP | FACT_OF_IP_ACTIVATION | FACT_OF_UNIX | FACT_OF_IP_MANY)
#define OF_IP_PEER (FACT_OF_IP | FACT_OF_UNIX)
#define OF_UNIX_PLACE (FACT_OF_UNIX | FACT_OF_UNIX_ACTIVATION | FACT_OF_UNIX_MANY)

const struct fact_variable fact_variables[] = {
    {"BATON_SERVICE", "{service}", OF_ALL},
    {"BATON_ID", "{id}", OF_LAUNCH},
    {"SERVER_ADDR", "{local_address}", OF_IP_PLACE},
    {"SERVER_PORT", "{port}", OF_IP_PLACE},
    {"REMOTE_ADDR", "{peer_address}", OF_IP_PEER},
    {"REMOTE_PORT", "{peer_port}", OF_IP_PEER},
    {"PROTO", "{protocol}", OF_IP_PEER},
    {"TCPLOCALIP", "{local_address}", OF_IP_PEER},
    {"TCPLOCALPORT", "{port}", OF_IP_PEER},
    {"TCPREMOTEIP", "{peer_address}", OF_IP_PEER},
    {"TCPREMOTEPORT", "{peer_port}", OF_IP_PEER},
    {"TCPCONNNUM", "{peer_count}", OF_IP_PEER},
    {"UNIXLOCALPATH", "{path}", OF_UNIX_PLACE},
    {"UNIXREMOTEEUID", "{peer_uid}", FACT_OF_UNIX},
    {"UNIXREMOTEPID", "{peer_pid}", FACT_OF_UNIX},
    {"", "", 0},
};

const struct fact_variable *fact_variable_next(const struct fact_variable *variable,
                                               enum fact_context context) {
    while (variable->name[0] != '\0' && (variable->contexts & (unsigned)context) == 0) {
        variable++;
    }
    return variable->name[0] == '\0' ? NULL : variable;
}
