/* What this system declares of sockets and their names; its like in posix/ has the same name. */
#ifndef BATON_CONFORMANCE_SOCKETS_H
#define BATON_CONFORMANCE_SOCKETS_H

#include <winsock2.h>
#include <ws2tcpip.h>

#endif
