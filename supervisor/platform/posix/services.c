/* services(5) */
#include "platform/posix/internal.h"

#include <arpa/inet.h>
#include <netdb.h>

int platform_service_port(void *context, const char *name, bool udp, uint16_t *port) {
    (void)context;
    const struct servent *service = getservbyname(name, udp ? "udp" : "tcp");
    if (service == NULL) {
        return BATON_NOT_FOUND;
    }
    *port = ntohs((uint16_t)service->s_port);
    return BATON_OK;
}
