/*
 * Whether a peer is trusted to name the client it speaks for, by a PROXY header.
 */
#ifndef BATON_DOOR_TRUST_H
#define BATON_DOOR_TRUST_H

#include "core/base/address.h"
#include "core/service/service.h"

#include <stdbool.h>

/* True for an address in the service's proxy_trusted, and for every client of a local socket: who
 * may connect there is told by its file's owner and mode. */
bool trust_covers(const struct service *service, const struct address *peer);

#endif
