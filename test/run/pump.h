/* Scenes with programs behind pipes (hand-off pump). */
#ifndef BATON_TEST_PUMP_H
#define BATON_TEST_PUMP_H

#include "scene.h"

/* Bytes of which no two places within 64 KiB of each other look alike. */
#define PUMP_MUCH_BYTES 1000000u
extern uint8_t pump_much[PUMP_MUCH_BYTES];

/* As scene_stage(), with a service that pumps. */
void pump_stage(struct scene *scene, const struct play *play, scene_script *script);

/* The client has received exactly these bytes so far. */
void assert_pump_received(uint32_t client, const void *bytes, size_t wanted);
/* The program reads exactly this text, and then BATON_AGAIN or BATON_END. */
void assert_pump_reads(uint32_t process, const char *wanted, int then);
/* Bytes that the client has sent and the supervisor has not read. */
size_t pump_unread_bytes(uint32_t client);
/* The program writes; the client sends. */
void pump_write(uint32_t process, const char *text);
void pump_send(uint32_t client, const char *text);

extern const struct play play_copier; /* copies its input to its output, and exits at its end */

#endif
