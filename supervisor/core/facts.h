/*
 * The facts about a connection, in one table {environment variable, template}: what a handler finds
 * in its environment, and what `{...}` in its arguments and `environment` values stands for. The
 * same facts travel as fields of the OFFER (handlers/PROTOCOL.md).
 *
 * Templates: {service} {id} {protocol} {port} {local_address} {path} {peer_address} {peer_port}
 * {peer_uid} {peer_pid} {peer_count}; {{ and }} are braces. A fact that is not known (the port of a
 * local socket, the user of a TCP client) is an empty text; a variable whose value is one such
 * template and nothing else is not set at all.
 *
 * UCSPI names: https://cr.yp.to/proto/ucspi.txt; TCPCONNNUM is the count of live connections from
 * the same address, this one included. PROTO is TCP for IPv4 and IPv6 alike, as in s6-tcpserver, so
 * that a program which knows only the classic set serves both; TCPREMOTEIP then is an IPv6 address.
 * For a local socket the names are those of ucspi-unix (PROTO is UNIX, UNIXREMOTEEUID and
 * UNIXREMOTEPID where the system tells them), unless a PROXY header named a client that came by
 * TCP: then PROTO is TCP and the TCP names are there too. Addresses have no zone ("%2"): few
 * programs can parse one.
 *
 * A service whose listener is handed over (UDP always) knows no client. Its handlers get
 * BATON_SERVICE, BATON_ID and where somebody waits (SERVER_ADDR and SERVER_PORT, or UNIXLOCALPATH),
 * and no PROTO, which would promise a connection on the standard streams.
 */
#ifndef BATON_CORE_FACTS_H
#define BATON_CORE_FACTS_H

#include "core/connection.h"
#include "core/service.h"

/* Where the texts of one launch are put together; sized once for the largest service of a table.
 * Owner: the caller of facts_create(). */
struct facts {
    const char *
        *values;       /* of service->variables, for platform_launch(); valid until the next fill */
    const char **argv; /* ends with NULL; NULL where the service's argv does not vary */
    const char **argv_room;
    char *bytes;
    size_t bytes_count;
};

/* BATON_OK or BATON_NO_MEMORY. */
int facts_create(const struct service_table *table, struct facts *out);
void facts_clear(struct facts *facts);

/* Puts together the values and arguments for a launch for `connection` of `service`.
 * `from_peer_count`: live connections from the same address, this one included. `listen`: the place
 * where it was accepted. Allocates nothing. */
void facts_fill(struct facts *facts, const struct service *service,
                const struct service_listen *listen, const struct connection *connection,
                uint32_t from_peer_count);

/* ---- For service_table_build() ---- */

/* The names of the variables that a service of this protocol and hand-off gets for each launch, in
 * order; NULL after the last. Static. */
const char *const *facts_names(enum service_protocol protocol, enum service_handoff handoff);

/* Their values as templates ("{peer_address}"), for service->variable_templates: as many, in the
 * same order, NULL after the last. Static. */
const char *const *facts_templates(enum service_protocol protocol, enum service_handoff handoff);

/* NULL, or what is wrong with `text` as a template ("{prot}": no such name; a lone brace), in words
 * that name what would be right. Static. `peer_is_known`: the service's mode knows each
 * connection. */
const char *facts_check_template(const char *text, bool peer_is_known);

/* True if `text` has a template or a doubled brace, so that it is not taken as it is. */
bool facts_is_template(const char *text);

/* The longest that `text`, in which facts_check_template() found nothing wrong, may become for a
 * connection of the service, with its NUL. The service's name, protocol and listen entries must be
 * set. Its launch_bytes are the sum of these over its variable_templates, and over all of its argv
 * if that varies. */
size_t facts_template_max_bytes(const char *text, const struct service *service);

#endif
