/*
 * A restart: the process that takes our place, and what it is given. restart.c starts it and waits
 * for it, held.c puts into numbers what goes over, still.c lets everything stand still until one of
 * the two goes on with it.
 */
#ifndef BATON_PLATFORM_WIN32_RESTART_H
#define BATON_PLATFORM_WIN32_RESTART_H

#include "internal.h"

/* ---- In the old one: numbers that mean something in the new one alone; 0 = nothing ---- */

/* What fails here is remembered, and told by platform_restart_go(). */
uint64_t win32_give_handle(HANDLE handle);
/* One that this process needs until its end. */
uint64_t win32_give_copy(HANDLE handle);
uint64_t win32_give_socket(SOCKET socket);
uint64_t win32_give_bytes(const void *bytes, size_t length);

/* ---- In the new one ---- */

/* NULL = it is none. */
HANDLE win32_take_handle(uint64_t given);
/* INVALID_SOCKET = it is none. To be taken once. */
SOCKET win32_take_socket(uint64_t given);
/* NULL = there are not so many. */
const void *win32_take_bytes(uint64_t given, size_t length);

/* Behind all else of platform_open(): what the manager asks for is heard from now on, or once what
 * is left has been taken over. BATON_OK or what the system says. */
int win32_restart_open(struct platform *platform, struct baton_cause *cause);

/* ---- still.c ---- */

/* Nothing is under way at this moment that cannot be broken off. Where something is, an event
 * follows when it has ended. */
bool win32_can_stand_still(struct platform *platform);
/* Breaks off every read, and whatever else waits for somebody; what has come by then is kept.
 * BATON_OK, or why not all does. */
int win32_stand_still(struct platform *platform, struct baton_cause *cause);
/* All goes on where it was. BATON_OK, or why not all does. */
int win32_go_on(struct platform *platform, struct baton_cause *cause);
/* There are writes that end in this process alone; for whose end the last one waits. The handles of
 * processes may be closed behind the second. */
bool win32_has_writes(const struct platform *platform);
void win32_watch_no_more(struct platform *platform);
void win32_await_writes(const struct platform *platform);

#endif
