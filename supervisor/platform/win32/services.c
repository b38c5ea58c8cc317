#include "internal.h"

/* Called before the platform is open, so Winsock is started for the call; it counts its users.
 * https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-getservbyname */
int platform_service_port(void *context, const char *name, bool udp, uint16_t *port) {
    WSADATA data;
    (void)context;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        return BATON_NOT_FOUND;
    }
    const struct servent *found = getservbyname(name, udp ? "udp" : "tcp");
    if (found != NULL) {
        *port = ntohs((u_short)found->s_port);
    }
    WSACleanup();
    return found != NULL ? BATON_OK : BATON_NOT_FOUND;
}
