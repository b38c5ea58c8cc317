#include "core/facts.h"

#include "core/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The table of variables ---- */

#define VARIABLES_OF_ALL(X)                                                                        \
    X("BATON_SERVICE", "{service}")                                                                \
    X("BATON_ID", "{id}")

#define VARIABLES_OF_IP_PLACE(X)                                                                   \
    X("SERVER_ADDR", "{local_address}")                                                            \
    X("SERVER_PORT", "{port}")

#define VARIABLES_OF_IP_PEER(X)                                                                    \
    X("REMOTE_ADDR", "{peer_address}")                                                             \
    X("REMOTE_PORT", "{peer_port}")                                                                \
    X("PROTO", "{protocol}")                                                                       \
    X("TCPLOCALIP", "{local_address}")                                                             \
    X("TCPLOCALPORT", "{port}")                                                                    \
    X("TCPREMOTEIP", "{peer_address}")                                                             \
    X("TCPREMOTEPORT", "{peer_port}")                                                              \
    X("TCPCONNNUM", "{peer_count}")

#define VARIABLES_OF_UNIX_PLACE(X) X("UNIXLOCALPATH", "{path}")

#define VARIABLES_OF_UNIX_PEER(X)                                                                  \
    X("UNIXREMOTEEUID", "{peer_uid}")                                                              \
    X("UNIXREMOTEPID", "{peer_pid}")

/* By what is known of a connection. A client of a local socket may have a PROXY header. */
#define VARIABLES_OF_IP_ACTIVATION(X) VARIABLES_OF_ALL(X) VARIABLES_OF_IP_PLACE(X)
#define VARIABLES_OF_UNIX_ACTIVATION(X) VARIABLES_OF_ALL(X) VARIABLES_OF_UNIX_PLACE(X)
#define VARIABLES_OF_IP(X) VARIABLES_OF_IP_ACTIVATION(X) VARIABLES_OF_IP_PEER(X)
#define VARIABLES_OF_UNIX(X) VARIABLES_OF_IP(X) VARIABLES_OF_UNIX_PLACE(X) VARIABLES_OF_UNIX_PEER(X)

#define AS_NAME(name, template) name,
#define AS_TEMPLATE(name, template) template,

/* One of them each for names and templates. */
enum variables { OF_IP, OF_IP_ACTIVATION, OF_UNIX, OF_UNIX_ACTIVATION };

static enum variables variables_of(enum service_protocol protocol, enum service_handoff handoff) {
    if (protocol == PROTOCOL_UNIX) {
        return handoff == HANDOFF_LISTENER ? OF_UNIX_ACTIVATION : OF_UNIX;
    }
    bool is_activation = handoff == HANDOFF_LISTENER || protocol == PROTOCOL_UDP;
    return is_activation ? OF_IP_ACTIVATION : OF_IP;
}

const char *const *facts_names(enum service_protocol protocol, enum service_handoff handoff) {
    static const char *const of_ip[] = {VARIABLES_OF_IP(AS_NAME) NULL};
    static const char *const of_ip_activation[] = {VARIABLES_OF_IP_ACTIVATION(AS_NAME) NULL};
    static const char *const of_unix[] = {VARIABLES_OF_UNIX(AS_NAME) NULL};
    static const char *const of_unix_activation[] = {VARIABLES_OF_UNIX_ACTIVATION(AS_NAME) NULL};
    static const char *const *const all[] = {of_ip, of_ip_activation, of_unix, of_unix_activation};
    return all[variables_of(protocol, handoff)];
}

const char *const *facts_templates(enum service_protocol protocol, enum service_handoff handoff) {
    static const char *const of_ip[] = {VARIABLES_OF_IP(AS_TEMPLATE) NULL};
    static const char *const of_ip_activation[] = {VARIABLES_OF_IP_ACTIVATION(AS_TEMPLATE) NULL};
    static const char *const of_unix[] = {VARIABLES_OF_UNIX(AS_TEMPLATE) NULL};
    static const char *const of_unix_activation[] = {VARIABLES_OF_UNIX_ACTIVATION(AS_TEMPLATE)
                                                         NULL};
    static const char *const *const all[] = {of_ip, of_ip_activation, of_unix, of_unix_activation};
    return all[variables_of(protocol, handoff)];
}

/* ---- The facts themselves ---- */

struct view {
    const struct service *service;
    const struct service_listen *listen;
    const struct connection *connection;
    uint32_t from_peer_count;
};

/* Each returns its text, perhaps in `room` of ADDRESS_TEXT_SIZE bytes; NULL = not known. */
typedef const char *fact_get(const struct view *view, char *room);

static bool is_ip(const struct address *address) {
    return address->family == ADDRESS_IPV4 || address->family == ADDRESS_IPV6;
}

static const char *get_number(uint64_t number, char *room) {
    (void)snprintf(room, ADDRESS_TEXT_SIZE, "%" PRIu64, number);
    return room;
}

static const char *get_host(const struct address *address, char *room) {
    struct address without_zone = *address;
    without_zone.scope_id = 0;
    return is_ip(address) ? address_print_host(&without_zone, room, ADDRESS_TEXT_SIZE) : NULL;
}

static const char *get_port_of(const struct address *address, char *room) {
    return is_ip(address) ? get_number(address->port, room) : NULL;
}

static const char *get_service(const struct view *view, char *room) {
    (void)room;
    return view->service->name;
}

static const char *get_id(const struct view *view, char *room) {
    return get_number(view->connection->id, room);
}

static const char *get_protocol(const struct view *view, char *room) {
    (void)room;
    /* Not the service's: a PROXY header may come by a local socket. */
    if (is_ip(&view->connection->peer)) {
        return "TCP";
    }
    switch ((enum service_protocol)view->service->protocol) {
    case PROTOCOL_TCP:
        return "TCP";
    case PROTOCOL_UDP:
        return "UDP";
    case PROTOCOL_UNIX:
        return "UNIX";
    }
    return NULL;
}

static const char *get_port(const struct view *view, char *room) {
    return get_port_of(&view->connection->local, room);
}

static const char *get_local_address(const struct view *view, char *room) {
    return get_host(&view->connection->local, room);
}

static const char *get_path(const struct view *view, char *room) {
    (void)room;
    return view->listen->path;
}

static const char *get_peer_address(const struct view *view, char *room) {
    return get_host(&view->connection->peer, room);
}

static const char *get_peer_port(const struct view *view, char *room) {
    return get_port_of(&view->connection->peer, room);
}

static uint32_t read_u32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The system has told who the client is: no process has the pid 0, but a user may have the id. */
static bool is_known_process(const struct address *address) {
    return address->family == ADDRESS_UNIX && read_u32(address->bytes + 4) != 0;
}

static const char *get_peer_uid(const struct view *view, char *room) {
    const struct address *peer = &view->connection->peer;
    return is_known_process(peer) ? get_number(read_u32(peer->bytes), room) : NULL;
}

static const char *get_peer_pid(const struct view *view, char *room) {
    const struct address *peer = &view->connection->peer;
    return is_known_process(peer) ? get_number(read_u32(peer->bytes + 4), room) : NULL;
}

static const char *get_peer_count(const struct view *view, char *room) {
    bool is_counted = is_ip(&view->connection->peer);
    return is_counted ? get_number(view->from_peer_count, room) : NULL;
}

#define U16_DIGITS 5
#define U32_DIGITS 10
#define U64_DIGITS 20
#define HOST_BYTES 45 /* INET6_ADDRSTRLEN, without its NUL */
#define IN_SERVICE 0  /* the longest is the service's to say */
#define PROTOCOL_BYTES 4

/* Name, getter, longest text. */
#define FACTS_OF_PLACE(X)                                                                          \
    X("service", get_service, IN_SERVICE)                                                          \
    X("id", get_id, U64_DIGITS)                                                                    \
    X("protocol", get_protocol, PROTOCOL_BYTES)                                                    \
    X("port", get_port, U16_DIGITS)                                                                \
    X("local_address", get_local_address, HOST_BYTES)                                              \
    X("path", get_path, IN_SERVICE)
#define FACTS_OF_PEER(X)                                                                           \
    X("peer_address", get_peer_address, HOST_BYTES)                                                \
    X("peer_port", get_peer_port, U16_DIGITS)                                                      \
    X("peer_uid", get_peer_uid, U32_DIGITS)                                                        \
    X("peer_pid", get_peer_pid, U32_DIGITS)                                                        \
    X("peer_count", get_peer_count, U32_DIGITS)

struct fact {
    const char *name;
    fact_get *get;
    size_t most_bytes;
    bool of_peer;
};

#define ROW_OF_PLACE(name, get, most) {name, get, most, false},
#define ROW_OF_PEER(name, get, most) {name, get, most, true},
static const struct fact table[] = {FACTS_OF_PLACE(ROW_OF_PLACE) FACTS_OF_PEER(ROW_OF_PEER)};

#define AS_LIST(name, get, most) " {" name "}"

static size_t longest(const struct fact *fact, const struct service *service) {
    size_t most = fact->most_bytes;
    if (fact->get == get_service) {
        most = strlen(service->name);
    }
    for (size_t i = 0; fact->get == get_path && i < service->listen_count; i++) {
        size_t bytes = service->listen[i].path == NULL ? 0 : strlen(service->listen[i].path);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* ---- Templates ---- */

enum piece_kind { PIECE_END, PIECE_TEXT, PIECE_FACT, PIECE_UNKNOWN, PIECE_LONE_BRACE };

struct piece {
    enum piece_kind kind;
    const char *bytes; /* TEXT */
    size_t length;
    const struct fact *fact; /* FACT */
};

static const struct fact *find_fact(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* The next piece of a template; *at goes to what follows it. */
static struct piece next_piece(const char **at) {
    const char *text = *at;
    struct piece piece = {.kind = PIECE_TEXT, .bytes = text, .length = strcspn(text, "{}")};
    if (*text == '\0') {
        piece.kind = PIECE_END;
    } else if (piece.length > 0) {
        *at = text + piece.length;
    } else if (text[1] == text[0]) {
        piece.length = 1;
        *at = text + 2;
    } else {
        size_t length = strcspn(text + 1, "{}");
        piece.kind = PIECE_LONE_BRACE;
        *at = text + 1;
        if (text[0] == '{' && text[1 + length] == '}') {
            piece.fact = find_fact(text + 1, length);
            piece.kind = piece.fact != NULL ? PIECE_FACT : PIECE_UNKNOWN;
            *at = text + length + 2;
        }
    }
    return piece;
}

const char *facts_check_template(const char *text, bool peer_is_known) {
    static const char no_such_name[] =
        "in braces there must be one of the names" FACTS_OF_PLACE(AS_LIST)
            FACTS_OF_PEER(AS_LIST) "; a brace itself is written {{ or }}";
    static const char no_peer[] = "a service whose listener is handed over does not know its "
                                  "clients; in braces there can be" FACTS_OF_PLACE(AS_LIST);
    static const char lone_brace[] = "a brace stands alone; the brace itself is written {{ or }}, "
                                     "and a fact as {port}";
    for (struct piece piece = next_piece(&text); piece.kind != PIECE_END;
         piece = next_piece(&text)) {
        if (piece.kind == PIECE_LONE_BRACE) {
            return lone_brace;
        }
        if (piece.kind == PIECE_UNKNOWN) {
            return peer_is_known ? no_such_name : no_peer;
        }
        if (piece.kind == PIECE_FACT && piece.fact->of_peer && !peer_is_known) {
            return no_peer;
        }
    }
    return NULL;
}

bool facts_is_template(const char *text) {
    return strpbrk(text, "{}") != NULL;
}

size_t facts_template_max_bytes(const char *text, const struct service *service) {
    size_t most = 1;
    for (struct piece piece = next_piece(&text); piece.kind != PIECE_END;
         piece = next_piece(&text)) {
        most += piece.kind == PIECE_FACT ? longest(piece.fact, service) : piece.length;
    }
    return most;
}

/* Where the texts of a launch are put one after the other. */
struct writer {
    char *at;
    size_t left_bytes;
};

static void append(struct writer *writer, const char *bytes, size_t length) {
    /* The room was measured by facts_create(); nothing is written past it even so. */
    size_t fitting = length < writer->left_bytes ? length : writer->left_bytes;
    memcpy(writer->at, bytes, fitting);
    writer->at += fitting;
    writer->left_bytes -= fitting;
}

/* Puts a template's text and its NUL there and returns it; NULL if it is one fact alone that is not
 * known. */
static const char *expand(struct writer *writer, const char *text, const struct view *view) {
    const char *start = writer->at;
    size_t piece_count = 0;
    size_t unknown_count = 0;
    for (struct piece piece = next_piece(&text); piece.kind != PIECE_END;
         piece = next_piece(&text)) {
        char room[ADDRESS_TEXT_SIZE];
        piece_count++;
        if (piece.kind != PIECE_FACT) {
            append(writer, piece.bytes, piece.length);
            continue;
        }
        const char *known = piece.fact->get(view, room);
        if (known != NULL) {
            append(writer, known, strlen(known));
        } else {
            unknown_count++;
        }
    }
    append(writer, "", 1);
    return piece_count == 1 && unknown_count == 1 ? NULL : start;
}

/* ---- A launch ---- */

int facts_create(const struct service_table *services, struct facts *out) {
    size_t most_values = 0;
    size_t most_arguments = 0;
    size_t most_bytes = 0;
    *out = (struct facts){0};
    for (size_t i = 0; i < services->service_count; i++) {
        const struct service *service = &services->services[i];
        size_t bytes = 0;
        for (size_t k = 0; k < service->variable_count; k++) {
            bytes += facts_template_max_bytes(service->variable_templates[k], service);
        }
        for (size_t k = 0; service->argv_varies && k < service->argc; k++) {
            bytes += facts_template_max_bytes(service->argv[k], service);
        }
        most_values = service->variable_count > most_values ? service->variable_count : most_values;
        most_arguments = service->argc > most_arguments ? service->argc : most_arguments;
        most_bytes = bytes > most_bytes ? bytes : most_bytes;
    }
    out->values = calloc(most_values + 1, sizeof *out->values);
    out->argv_room = calloc(most_arguments + 1, sizeof *out->argv_room);
    out->bytes = malloc(most_bytes + 1);
    out->bytes_count = most_bytes;
    if (out->values == NULL || out->argv_room == NULL || out->bytes == NULL) {
        facts_clear(out);
        return BATON_NO_MEMORY;
    }
    out->bytes[most_bytes] = '\0';
    return BATON_OK;
}

void facts_clear(struct facts *facts) {
    free(facts->values);
    free(facts->argv_room);
    free(facts->bytes);
    *facts = (struct facts){0};
}

void facts_fill(struct facts *facts, const struct service *service,
                const struct service_listen *listen, const struct connection *connection,
                uint32_t from_peer_count) {
    struct view view = {service, listen, connection, from_peer_count};
    struct writer writer = {facts->bytes, facts->bytes_count};
    for (size_t i = 0; i < service->variable_count; i++) {
        facts->values[i] = expand(&writer, service->variable_templates[i], &view);
    }
    facts->argv = NULL;
    if (!service->argv_varies) {
        return;
    }
    for (size_t i = 0; i < service->argc; i++) {
        const char *argument = expand(&writer, service->argv[i], &view);
        facts->argv_room[i] = argument == NULL ? "" : argument;
    }
    facts->argv_room[service->argc] = NULL;
    facts->argv = facts->argv_room;
}
