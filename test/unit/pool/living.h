/* A pool with processes that live on, and its clock: what tests of it have in common. */
#ifndef BATON_TEST_LIVING_H
#define BATON_TEST_LIVING_H

#include "pool_scene.h"

#include "core/pool/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HANDSHAKE_US 5000000u
#define STOP_US 3000000u
#define SECOND_US 1000000u

extern struct pool_scene living_scene;
extern struct pool_service *living_served; /* the first of the services */
extern uint64_t living_now_us;
extern uint32_t living_counts[POOL_ACTION_KINDS_COUNT]; /* that were taken, by kind */

/* A service whose processes serve without end. */
struct service living_usual(void);
void living_spare(struct service *service, uint32_t count, uint32_t min_count, uint32_t max_count);
/* Begins with two services, in slots 0 and 1. */
void living_begin(struct service first, struct service second);
/* Stops, and ends all; nothing is left. */
void living_end(void);

struct pool *living_at_now(void);
void living_take_all(void);

/* A client of the first service comes; this and all that follow take all actions behind it. */
uint32_t living_arrive(void);
void living_hello(uint32_t process, uint32_t capacity_count);
void living_ack(uint32_t process);
void living_done(uint32_t process, uint32_t connection);
/* The process exits with 0. */
void living_leave(uint32_t process);
void living_leave_all(void);
/* Deadlines come one by one, as they do. */
void living_pass(uint64_t delay_us);
bool living_refill(void);
/* The next spare, which has said HELLO. */
uint32_t living_spare_of(uint32_t capacity_count);

#endif
