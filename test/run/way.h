/* The ways of a listener that is handed over: at the launch, or by an OFFER as on Windows. */
#ifndef BATON_TEST_WAY_H
#define BATON_TEST_WAY_H

#include "scene.h"

enum way { WAY_TCP, WAY_UDP, WAY_WINDOWS, WAY_WINDOWS_UDP, WAY_COUNT };

bool is_windows(uint32_t way);
bool is_udp(uint32_t way);
/* A scene with one service of that way. */
void stage(struct scene *scene, uint32_t way, scene_script *script);
/* One more client of it, or datagram. */
uint32_t arrive(const struct scene *scene);

/* Processes that take whoever waits and end, one for each kind of way. */
extern const struct play play_taking, play_offered;

#endif
