/* The facts of a connection as variables (PROTOCOL.md, "Facts about the connection"), for programs
 * that know them by no other way. */
#include "body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "" takes the variable away: one that is left from before would be of somebody else. */
static int put(int fault, const char *name, const char *value) {
    return fault != 0 ? fault : body_set_environment(name, value[0] != '\0' ? value : NULL);
}

static int put_number(int fault, const char *name, uint64_t number, bool is_known) {
    char text[24] = "";
    if (is_known)
        snprintf(text, sizeof text, "%" PRIu64, number);
    return put(fault, name, text);
}

/* "192.0.2.1:5000", "[2001:db8::1]:5000", "". */
static int put_address(int fault, const char *const names[4], const char *address) {
    char host[BATON_ADDRESS_BYTES];
    const char *colon = strrchr(address, ':');
    size_t length = colon != NULL ? (size_t)(colon - address) : 0;
    bool is_in_brackets = length > 1 && address[0] == '[';
    memcpy(host, address + is_in_brackets, length - 2 * is_in_brackets);
    host[length - 2 * is_in_brackets] = '\0';
    const char *port = colon != NULL ? colon + 1 : "";
    for (size_t i = 0; i < 4; i++)
        fault = put(fault, names[i], i % 2 == 0 ? host : port);
    return fault;
}

int baton_export_facts(const struct baton_connection *connection) {
    static const char *const of_us[] = {"SERVER_ADDR", "SERVER_PORT", "TCPLOCALIP", "TCPLOCALPORT"};
    static const char *const of_peer[] = {"REMOTE_ADDR", "REMOTE_PORT", "TCPREMOTEIP",
                                          "TCPREMOTEPORT"};
    bool is_tcp = connection->peer[0] != '\0', is_local = connection->path[0] != '\0';
    int fault = put(0, "BATON_SERVICE", connection->service);
    fault = put_number(fault, "BATON_ID", connection->id, connection->id != 0);
    fault = put(fault, "PROTO", is_tcp ? "TCP" : is_local ? "UNIX" : "");
    fault = put_address(fault, of_us, connection->local);
    fault = put_address(fault, of_peer, connection->peer);
    fault = put_number(fault, "TCPCONNNUM", connection->peer_count,
                       is_tcp && connection->peer_count != 0);
    fault = put(fault, "UNIXLOCALPATH", connection->path);
    fault =
        put_number(fault, "UNIXREMOTEEUID", connection->peer_uid, connection->peer_uid_known != 0);
    return put_number(fault, "UNIXREMOTEPID", connection->peer_pid, connection->peer_pid != 0);
}
