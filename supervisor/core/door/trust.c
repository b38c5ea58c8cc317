#include "core/door/trust.h"

bool trust_covers(const struct service *service, const struct address *peer) {
    for (size_t i = 0; i < service->proxy_trusted_count; i++) {
        if (address_block_contains(&service->proxy_trusted[i], peer)) {
            return true;
        }
    }
    return peer->family == ADDRESS_UNIX;
}
