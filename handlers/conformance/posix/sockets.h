/* What this system declares of sockets and their names; its like in win32/ has the same name. */
#ifndef BATON_CONFORMANCE_SOCKETS_H
#define BATON_CONFORMANCE_SOCKETS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#endif
