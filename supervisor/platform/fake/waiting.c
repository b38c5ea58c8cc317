/* Who waits at a listener. */
#include "platform/fake/internal.h"

void platform_listener_waiting(const struct platform_listener *listener, bool identify,
                               struct waiting_set *out) {
    out->is_known = !fake_world.is_windows;
    out->is_identified = identify && out->is_known;
    out->has_nameless = false;
    out->amount = out->id_count = 0;
    for (uint32_t i = 0; i < fake_world.client_count; i++) {
        const struct fake_peer *p = fake_world.clients[i];
        if (fake_world.listeners[p->face.listener] == listener && p->face.accepted_number == 0 &&
            !p->face.is_taken && !p->face.refused) {
            out->amount++;
            out->is_identified = out->is_identified && out->id_count < WAITING_IDS_MAX_COUNT;
            if (out->is_identified) {
                out->ids[out->id_count++] = i;
            }
        }
    }
}
