#include "core/service/template.h"

#include <string.h>

struct template_piece template_next(const char **at) {
    const char *text = *at;
    struct template_piece piece = {
        .kind = TEMPLATE_TEXT, .bytes = text, .length = strcspn(text, "{}")};
    if (*text == '\0') {
        piece.kind = TEMPLATE_END;
    } else if (piece.length > 0) {
        *at = text + piece.length;
    } else if (text[1] == text[0]) {
        piece.length = 1;
        *at = text + 2;
    } else {
        size_t length = strcspn(text + 1, "{}");
        piece.kind = TEMPLATE_LONE_BRACE;
        *at = text + 1;
        if (text[0] == '{' && text[1 + length] == '}') {
            piece.fact = fact_find(text + 1, length);
            piece.kind = piece.fact != FACT_COUNT ? TEMPLATE_FACT : TEMPLATE_UNKNOWN;
            *at = text + length + 2;
        }
    }
    return piece;
}

#define AS_LIST(id, name, max_bytes) " {" name "}"

const char *template_check(const char *text, bool peer_is_known) {
    static const char no_such_name[] =
        "in braces there must be one of the names" FACT_TABLE_OF_PLACE(AS_LIST)
            FACT_TABLE_OF_PEER(AS_LIST) "; a brace itself is written {{ or }}";
    static const char no_peer[] = "a service whose listener is handed over does not know its "
                                  "clients; in braces there can be" FACT_TABLE_OF_PLACE(AS_LIST);
    static const char lone_brace[] = "a brace stands alone; the brace itself is written {{ or }}, "
                                     "and a fact as {port}";
    for (struct template_piece piece = template_next(&text); piece.kind != TEMPLATE_END;
         piece = template_next(&text)) {
        if (piece.kind == TEMPLATE_LONE_BRACE) {
            return lone_brace;
        }
        if (piece.kind == TEMPLATE_UNKNOWN) {
            return peer_is_known ? no_such_name : no_peer;
        }
        if (piece.kind == TEMPLATE_FACT && fact_is_of_peer(piece.fact) && !peer_is_known) {
            return no_peer;
        }
    }
    return NULL;
}

bool template_is_one(const char *text) {
    return strpbrk(text, "{}") != NULL;
}

size_t template_max_bytes(const char *text, const struct service *service) {
    size_t most = 1;
    for (struct template_piece piece = template_next(&text); piece.kind != TEMPLATE_END;
         piece = template_next(&text)) {
        most += piece.kind == TEMPLATE_FACT ? fact_max_bytes(piece.fact, service) : piece.length;
    }
    return most;
}

size_t template_launch_bytes(const struct service *service) {
    size_t bytes = 0;
    for (size_t i = 0; i < service->variable_count; i++) {
        bytes += template_max_bytes(service->variable_templates[i], service);
    }
    for (size_t i = 0; service->argv_varies && i < service->argc; i++) {
        bytes += template_max_bytes(service->argv[i], service);
    }
    return bytes;
}
