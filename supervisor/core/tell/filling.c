#include "core/tell/filling.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/service/template.h"

#include <stdlib.h>
#include <string.h>

/* ---- The facts ---- */

struct view {
    const struct service *service;
    const struct connection *connection; /* NULL = none: what holds for the service is known */
};

static bool is_ip(const struct address *address) {
    return address->family == ADDRESS_IPV4 || address->family == ADDRESS_IPV6;
}

static const char *get_number(uint64_t number, char *room) {
    *text_put_number(room, number, 10) = '\0';
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

/* Not the service's: a PROXY header may come by a local socket. */
static const char *get_protocol(const struct view *view) {
    enum service_protocol protocol = (enum service_protocol)view->service->protocol;
    const struct connection *c = view->connection;
    return protocol == PROTOCOL_TCP || (c != NULL && is_ip(&c->peer)) ? "TCP"
           : protocol == PROTOCOL_UDP                                 ? "UDP"
                                                                      : "UNIX";
}

/* Returns the text, perhaps in `room` of ADDRESS_TEXT_SIZE bytes; NULL = not known. */
static const char *get(enum fact_id fact, const struct view *view, char *room) {
    static const struct connection nobody;
    bool is_known = view->connection != NULL;
    const struct connection *c = is_known ? view->connection : &nobody;
    const struct service_listen *listen = view->service->listen;
    if (!is_known && !fact_is_of_service(fact, view->service)) {
        return NULL;
    }
    const struct address *local = is_known ? &c->local : &listen[0].address;
    switch (fact) {
    case FACT_SERVICE:
        return view->service->name;
    case FACT_ID:
        return get_number(c->id, room);
    case FACT_PROTOCOL:
        return get_protocol(view);
    case FACT_PORT:
        return get_port_of(local, room);
    case FACT_LOCAL_ADDRESS:
        return get_host(local, room);
    case FACT_PATH:
        return listen[c->place].path;
    case FACT_PEER_ADDRESS:
        return get_host(&c->peer, room);
    case FACT_PEER_PORT:
        return get_port_of(&c->peer, room);
    case FACT_PEER_UID:
        return c->peer.has_uid ? get_number(c->peer.uid, room) : NULL;
    case FACT_PEER_PID:
        return c->peer.pid != 0 ? get_number(c->peer.pid, room) : NULL;
    case FACT_PEER_COUNT:
        return is_ip(&c->peer) ? get_number(c->from_peer_count, room) : NULL;
    case FACT_COUNT:
        break;
    }
    return NULL;
}

/* ---- Templates ---- */

/* Where the texts of a launch are put one after the other. */
struct writer {
    char *at;
    size_t left_bytes;
};

static void append(struct writer *writer, const char *bytes, size_t length) {
    /* The room was measured by filling_reserve(); nothing is written past it even so. */
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
    for (struct template_piece piece = template_next(&text); piece.kind != TEMPLATE_END;
         piece = template_next(&text)) {
        char room[ADDRESS_TEXT_SIZE];
        piece_count++;
        if (piece.kind != TEMPLATE_FACT) {
            append(writer, piece.bytes, piece.length);
            continue;
        }
        const char *known = get(piece.fact, view, room);
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

/* Room for at least `count` texts and a NULL; what is there already is kept when that fails. */
static bool grow_texts(const char ***texts, size_t *room_count, size_t count) {
    if (count <= *room_count && *texts != NULL) {
        return true;
    }
    const char **grown = realloc((void *)*texts, (count + 1) * sizeof **texts);
    if (grown == NULL) {
        return false;
    }
    *texts = grown;
    *room_count = count;
    return true;
}

int filling_reserve(struct filling *filling, const struct service *service) {
    if (!grow_texts(&filling->values, &filling->values_count, service->variable_count) ||
        !grow_texts(&filling->argv_room, &filling->argv_count, service->argc)) {
        return BATON_NO_MEMORY;
    }
    if (service->launch_bytes > filling->bytes_count || filling->bytes == NULL) {
        char *grown = realloc(filling->bytes, service->launch_bytes + 1);
        if (grown == NULL) {
            return BATON_NO_MEMORY;
        }
        filling->bytes = grown;
        filling->bytes_count = service->launch_bytes;
        grown[service->launch_bytes] = '\0';
    }
    return BATON_OK;
}

void filling_clear(struct filling *filling) {
    free((void *)filling->values);
    free((void *)filling->argv_room);
    free(filling->bytes);
    *filling = (struct filling){0};
}

void filling_make(struct filling *filling, const struct service *service,
                  const struct connection *connection) {
    /* Others will come to it who would find in it what is told of this one. */
    struct view view = {service, service_serves_many(service) ? NULL : connection};
    struct writer writer = {filling->bytes, filling->bytes_count};
    for (size_t i = 0; i < service->variable_count; i++) {
        filling->values[i] = expand(&writer, service->variable_templates[i], &view);
    }
    filling->argv = NULL;
    if (!service->argv_varies) {
        return;
    }
    for (size_t i = 0; i < service->argc; i++) {
        const char *argument = expand(&writer, service->argv[i], &view);
        filling->argv_room[i] = argument == NULL ? "" : argument;
    }
    filling->argv_room[service->argc] = NULL;
    filling->argv = filling->argv_room;
}

size_t filling_expand(const char *text, const struct service *service,
                      const struct connection *connection, char *out, size_t size_bytes) {
    struct view view = {service, connection};
    struct writer writer = {out, size_bytes - 1};
    (void)expand(&writer, text, &view);
    *writer.at = '\0';
    return strlen(out);
}
