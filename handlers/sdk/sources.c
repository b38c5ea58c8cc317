/* Sockets that serve many clients: listeners and datagram sockets; and a connection that came
 * without a channel, which is a source of one. */
#include "body.h"

#include <string.h>

static void prepare_datagrams(struct body_source *source) {
    body_datagram_prepare(source->socket);
    source->datagram_port = body_bound_port(source->socket);
    /* What nobody outside can know: where the system has put us, when, and as which process. */
    source->limit = (struct limit){.secret = body_now_ms() ^ (uint64_t)(uintptr_t)source ^
                                             (uint64_t)body_own_pid() << 40};
}

struct body_source *sources_add(struct body_sources *sources, baton_socket socket,
                                enum baton_kind kind, const char *service) {
    size_t at = 0;
    while (at < sources->used_mark && sources->items[at].state != BODY_SOURCE_NONE)
        at++;
    if (at == BODY_SOURCES_MAX_COUNT)
        return NULL;
    struct body_source *source = &sources->items[at];
    source->socket = socket;
    source->kind = kind;
    source->is_plain = false;
    source->number = 0;
    source->id = 0;
    size_t length = strlen(service);
    if (length >= sizeof source->service)
        length = sizeof source->service - 1;
    memcpy(source->service, service, length);
    source->service[length] = '\0';
    source->datagram_port = 0;
    if (kind == BATON_KIND_DATAGRAM)
        prepare_datagrams(source);
    source->state = BODY_SOURCE_HERE;
    if (at == sources->used_mark)
        sources->used_mark++;
    return source;
}

bool sources_is_empty(const struct body_sources *sources) {
    for (size_t i = 0; i < sources->used_mark; i++)
        if (sources->items[i].state != BODY_SOURCE_NONE)
            return false;
    return true;
}

void sources_describe(struct body_sources *sources) {
    char number[24] = "", service[BATON_SERVICE_BYTES] = "";
    uint64_t id = 0;
    if (body_read_environment("BATON_ID", number, sizeof number) != 1)
        return;
    if (body_read_environment("BATON_SERVICE", service, sizeof service) != 1)
        service[0] = '\0';
    (void)body_number_parse(number, UINT64_MAX, &id);
    for (size_t i = 0; i < sources->used_mark; i++) {
        sources->items[i].id = id;
        memcpy(sources->items[i].service, service, sizeof service);
    }
}

bool sources_is_whole(const struct body_sources *sources, const struct body_source *source) {
    return source->kind == BATON_KIND_CONNECTION ||
           (source->kind == BATON_KIND_LISTENER && sources->gives_listeners);
}

int sources_take(struct body_sources *sources, size_t index, struct baton_connection *connection) {
    struct body_source *source = &sources->items[index];
    bool is_whole = sources_is_whole(sources, source);
    int result = 1;
    sources->turn = index + 1;
    connection->kind = source->kind;
    connection->socket = source->socket;
    connection->is_plain = source->is_plain;
    if (is_whole) {
        source->state = BODY_SOURCE_NONE;
    } else if (source->kind == BATON_KIND_DATAGRAM) {
        source->state = BODY_SOURCE_LENT;
    } else {
        connection->kind = BATON_KIND_CONNECTION;
        result = body_accept(source->socket, &connection->socket);
    }
    if (result != 1)
        return result;
    connection->source = is_whole ? 0 : (uint32_t)index + 1;
    connection->sources = sources;
    connection->id = source->id;
    memcpy(connection->service, source->service, sizeof connection->service);
    body_socket_addresses(connection);
    if (source->kind == BATON_KIND_CONNECTION)
        body_environment_facts(connection);
    return 1;
}

uint32_t sources_give_back(struct body_sources *sources, struct baton_connection *connection) {
    int lent = BODY_SOURCE_LENT;
    if (connection->source == 0 || connection->kind != BATON_KIND_DATAGRAM) {
        body_socket_close(&connection->socket);
        return 0;
    }
    struct body_source *source = &sources->items[connection->source - 1];
    connection->socket = BATON_SOCKET_NONE;
    if (atomic_compare_exchange_strong(&source->state, &lent, BODY_SOURCE_HERE))
        return 0;
    uint32_t number = source->number;
    body_socket_close(&source->socket);
    source->state = BODY_SOURCE_NONE; /* from here on the place may be another's */
    return number;
}

void sources_close(struct body_sources *sources, size_t index) {
    struct body_source *source = &sources->items[index];
    int lent = BODY_SOURCE_LENT;
    if (source->state == BODY_SOURCE_NONE ||
        atomic_compare_exchange_strong(&source->state, &lent, BODY_SOURCE_ORPHAN))
        return;
    /* Only the thread that calls this could have lent it meanwhile. */
    if (source->state == BODY_SOURCE_HERE) {
        body_socket_close(&source->socket);
        source->state = BODY_SOURCE_NONE;
    }
}
