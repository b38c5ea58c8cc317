/* What both systems tell in the same form: included behind the system's own header for sockets. */
#ifndef INDEPENDENT_NAME_H
#define INDEPENDENT_NAME_H

#include "independent.h"

#include <string.h>

/* `name` as the protocol has it; left alone if it is of no family that the protocol knows. */
static inline void write_name(const struct sockaddr_storage *given, struct address *name) {
    if (given->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, given, sizeof v4);
        name->size = ADDRESS_V4;
        name->bytes[0] = 4;
        memcpy(name->bytes + 1, &v4.sin_port, 2);
        memcpy(name->bytes + 3, &v4.sin_addr, 4);
    } else if (given->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, given, sizeof v6);
        name->size = ADDRESS_V6;
        name->bytes[0] = 6;
        memcpy(name->bytes + 1, &v6.sin6_port, 2);
        memcpy(name->bytes + 3, &v6.sin6_addr, 16);
    }
}

#endif
