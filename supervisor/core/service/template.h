/*
 * Templates: texts in which a name in braces stands for a fact about the connection (core/service/
 * facts.h), and a doubled brace for the brace itself.
 */
#ifndef BATON_SERVICE_TEMPLATE_H
#define BATON_SERVICE_TEMPLATE_H

#include "core/service/facts.h"

#include <stdbool.h>
#include <stddef.h>

/* NULL, or what is wrong with `text` as a template ("{prot}": no such name; a lone brace), in words
 * that name what would be right. Static. `peer_is_known`: the service's mode knows each
 * connection. */
const char *template_check(const char *text, bool peer_is_known);

/* True if `text` has a template or a doubled brace, so that it is not taken as it is. */
bool template_is_one(const char *text);

/* The longest that `text`, in which template_check() found nothing wrong, may become for a
 * connection of the service, with its NUL. The service's name, protocol and listen entries must be
 * set. */
size_t template_max_bytes(const char *text, const struct service *service);

/* The service's launch_bytes: the sum of these over its variable_templates, and over all of its
 * argv if that varies. */
size_t template_launch_bytes(const struct service *service);

enum template_piece_kind {
    TEMPLATE_END,
    TEMPLATE_TEXT,      /* stands for itself */
    TEMPLATE_FACT,      /* stands for a fact */
    TEMPLATE_UNKNOWN,   /* braces around no name of a fact: a fault */
    TEMPLATE_LONE_BRACE /* a fault */
};

struct template_piece {
    enum template_piece_kind kind;
    const char *bytes; /* TEXT: into the template, `length` of them */
    size_t length;
    enum fact_id fact; /* FACT */
};

/* Takes the next piece off a template: *at, NUL-terminated, goes to what follows it. */
struct template_piece template_next(const char **at);

#endif
