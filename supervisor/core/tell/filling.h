/*
 * Filling: the facts about one connection, put where a handler looks for them, its environment and
 * its arguments (core/service/facts.h, core/service/template.h).
 */
#ifndef BATON_TELL_FILLING_H
#define BATON_TELL_FILLING_H

#include "core/pool/connection.h"
#include "core/service/service.h"

/* Where the texts of one launch are put together, with room for the largest service that was
 * reserved for. All zero = no room. Owner: the caller. */
struct filling {
    const char *
        *values;       /* of service->variables, for platform_launch(); valid until the next one */
    const char **argv; /* ends with NULL; NULL where the service's argv does not vary */
    const char **argv_room;
    char *bytes;
    size_t values_count, argv_count, bytes_count; /* room */
};

/* Makes room for the launches of `service`, beside all that there was room for before. BATON_OK, or
 * BATON_NO_MEMORY with that still as it was. */
int filling_reserve(struct filling *filling, const struct service *service);
/* Frees and leaves empty. */
void filling_clear(struct filling *filling);

/* Puts together the values and arguments for a launch for `connection` of `service`; NULL, and
 * where the process serves many (service_serves_many()): with what holds for the service alone.
 * Allocates nothing. */
void filling_make(struct filling *filling, const struct service *service,
                  const struct connection *connection);

/* Puts a template's text into `out` (`size_bytes`, at least 1), cut if it is longer. Returns its
 * length. What is not known is left out. */
size_t filling_expand(const char *text, const struct service *service,
                      const struct connection *connection, char *out, size_t size_bytes);

#endif
