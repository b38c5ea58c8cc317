#include "way.h"

static const enum act taking_acts[] = {ACT_TAKE_ALL, ACT_EXIT};
const struct play play_taking = {.acts = taking_acts};
static const enum act offered_acts[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_TAKE_ALL,
                                        ACT_DONE,  ACT_AWAIT_DRAIN, ACT_EXIT};
const struct play play_offered = {.acts = offered_acts};

bool is_windows(uint32_t way) {
    return way >= WAY_WINDOWS;
}

bool is_udp(uint32_t way) {
    return way == WAY_UDP || way == WAY_WINDOWS_UDP;
}

void stage(struct scene *scene, uint32_t way, scene_script *script) {
    scene_init(scene);
    scene_mode(scene, 0, HANDOFF_LISTENER, is_udp(way) ? PROTOCOL_UDP : PROTOCOL_TCP,
               is_windows(way));
    fake_as_on_windows(is_windows(way));
    scene->script = script;
    scene->way = way;
}

uint32_t arrive(const struct scene *s) {
    return is_udp(s->way) ? fake_datagram(SCENE_PORT) : fake_connect(SCENE_PORT);
}
